/** Ghostport as it is installed: the compiled program, both processes, nftables in mark mode. */
import { randomBytes } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { KeyringName } from '../../src/access/keyring.ts'
import type { FwknopDigest, ReplayDigest } from '../../src/packet/replay-digest.ts'
import { openSqliteReplayStore } from '../../src/replay/sqlite.ts'
import { seconds, unixSeconds } from '../../src/units.ts'
import { SPA_PORT } from '../knocks.ts'
import type { Lab } from '../lab.ts'
import { RunningServer, type ServerKind, type ServerOptions, writeAccess } from './server.ts'

export const ghostportBinary = fileURLToPath(new URL('../../dist/cli/ghostport.js', import.meta.url))

/** Reads from the interface: its default. */
export const ghostport: ServerKind = {
  name: 'ghostport',
  isOurs: true,
  start: async (lab, options) => await start(lab, options, 'packet'),
}

/** Reads datagrams from a socket. */
export const ghostportUdp: ServerKind = {
  name: 'ghostport, UDP',
  isOurs: true,
  start: async (lab, options) => await start(lab, options, 'udp'),
}

/** Its warden never makes machine code, so that no memory of it is both writable and executable (`ghostport unit`). */
export const ghostportJitless: ServerKind = {
  name: 'ghostport, warden without compiler',
  isOurs: true,
  start: async (lab, options) => await start(lab, options, 'packet', ['--jitless']),
}

const MAX_AGE = 120

async function start(
  lab: Lab,
  options: ServerOptions,
  capture: 'packet' | 'udp',
  wardenOptions: readonly string[] = [],
): Promise<RunningServer> {
  if (!existsSync(ghostportBinary)) throw new Error(`${ghostportBinary} is not there: npm run build`)
  const directory = lab.directory()
  const at = (name: string): string => join(directory, name)
  writeFileSync(
    at('fwknopd.conf'),
    `PCAP_INTF eth0;\nCAPTURE ${capture};\nSPA_PORTS ${SPA_PORT};\nFIREWALL_MODE mark;\nMAX_SPA_PACKET_AGE ${MAX_AGE};\n` +
      `REPLAY_DB ${at('replay.db')};\nCONTROL_SOCKET ${at('control.sock')};\n` +
      (options.settings ?? []).map((line) => `${line};\n`).join(''),
    { mode: 0o600 },
  )
  writeAccess(at('access.conf'), options)
  if (options.replayEntries !== undefined) await rememberPackets(at('replay.db'), options.replayEntries)
  const serve = [
    options.node ?? process.execPath,
    ...wardenOptions,
    ghostportBinary,
    'serve',
    '-c',
    at('fwknopd.conf'),
    '-a',
    at('access.conf'),
  ]
  const ready = options.ready ?? (options.access?.includes('GPG_') ? /"event":"gnupg ready"/ : /"event":"ready"/)
  return await RunningServer.start(lab, at('log'), serve, ready)
}

/** Claims packets that were never sent, through the store's own interface, in large commits. */
async function rememberPackets(path: string, count: number): Promise<void> {
  const opened = openSqliteReplayStore({ path, maxAge: seconds(MAX_AGE), share: count })
  if (!opened.ok) throw new Error(opened.failure.detail)
  const now = unixSeconds(Math.floor(Date.now() / 1000))
  for (let claimed = 0; claimed < count; ) {
    const claims = Array.from({ length: Math.min(20_000, count - claimed) }, () => ({
      digest: randomDigest() as ReplayDigest,
      fwknopDigest: randomDigest() as FwknopDigest,
      // As far ahead as the age check allows, so that none is forgotten during the measurement.
      timestamp: unixSeconds(now + MAX_AGE - 10),
      keyring: 'nobody’s' as KeyringName,
    }))
    const answers = await opened.value.claim(claims, now)
    if (!answers.ok) throw new Error(answers.failure.detail)
    claimed += claims.length
  }
  await opened.value.close()
}

function randomDigest(): string {
  return randomBytes(32).toString('base64').replace(/=+$/, '')
}
