/** The real fwknopd of Debian, with its package's configuration except for the settings here. */

import { randomBytes } from 'node:crypto'
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DOOR_PORT, SPA_PORT } from '../knocks.ts'
import type { Lab } from '../lab.ts'
import { RunningServer, type ServerKind, type ServerOptions, writeAccess } from './server.ts'

/** Reads datagrams from a socket: its faster mode, and the reference of every ratio. */
export const fwknopdUdp: ServerKind = {
  name: 'fwknopd, UDP',
  isOurs: false,
  start: async (lab, options) => await start(lab, options, 'ENABLE_UDP_SERVER Y;', /Kicking off UDP server/),
  seedGrants,
}

/** Reads from the interface: its default. */
export const fwknopdPcap: ServerKind = {
  name: 'fwknopd, pcap',
  isOurs: false,
  start: async (lab, options) => await start(lab, options, '', /Starting fwknopd main event loop/),
  seedGrants,
}

async function start(lab: Lab, options: ServerOptions, mode: string, ready: RegExp): Promise<RunningServer> {
  const directory = lab.directory()
  const at = (name: string): string => join(directory, name)
  writeFileSync(
    at('fwknopd.conf'),
    `PCAP_INTF eth0;\nUDPSERV_PORT ${SPA_PORT};\n${mode}\nFWKNOP_RUN_DIR ${at('run')};\n`,
    { mode: 0o600 },
  )
  writeAccess(at('access.conf'), options)
  mkdirSync(at('run'), { mode: 0o700 })
  if (options.replayEntries !== undefined) writeDigests(at('digests'), options.replayEntries)
  const files = [
    '-c',
    at('fwknopd.conf'),
    '-a',
    at('access.conf'),
    '-r',
    at('run'),
    '-p',
    at('pid'),
    '-d',
    at('digests'),
  ]
  return await RunningServer.start(lab, at('log'), ['fwknopd', '-f', ...files], ready)
}

/** `digest.cache`, in fwknopd's own form, with packets that were never sent. */
function writeDigests(path: string, count: number): void {
  const now = Math.floor(Date.now() / 1000)
  const file = openSync(path, 'w', 0o600)
  for (let written = 0; written < count; ) {
    const lines: string[] = []
    for (; lines.length < 50_000 && written < count; written++) {
      const digest = randomBytes(32).toString('base64').replace(/=+$/, '')
      lines.push(`${digest} 17 10.77.0.9 40000 10.78.0.2 ${SPA_PORT} ${now}\n`)
    }
    writeFileSync(file, lines.join(''))
  }
  closeSync(file)
}

/** Rules as fwknopd makes them: the comment says when it must remove them. */
function seedGrants(lab: Lab, clients: readonly string[], lifetime: number): void {
  const end = Math.floor(Date.now() / 1000) + lifetime
  const rules = clients.map(
    (client) =>
      `-A FWKNOP_INPUT -s ${client}/32 -p tcp -m tcp --dport ${DOOR_PORT} -m comment --comment _exp_${end} -j ACCEPT\n`,
  )
  lab.server.must(['iptables-restore', '--noflush'], { input: `*filter\n${rules.join('')}COMMIT\n` })
}
