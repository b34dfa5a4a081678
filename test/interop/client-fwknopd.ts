/**
 * The real fwknopd (Debian's package) on a test host, in UDP server mode, behind an INPUT chain that rejects. A reset
 * is an immediate answer, while a drop would need a timeout; the same packets get in. And `ghostport knock`, from
 * another host.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Host, Network, Outcome, Program } from '../support/netns.ts'

/** A stanza’s lines, `SOURCE` first. */
export type AccessLines = readonly (readonly [name: string, value: string])[]

/** fwknopd may do everything: only the stanza limits it. */
const FWKNOPD_CONF = ['ENABLE_IPT_FORWARDING Y', 'ENABLE_IPT_LOCAL_NAT Y', 'ENABLE_IPT_COMMENT_CHECK N']
const UDP_SERVER = ['ENABLE_UDP_SERVER Y', 'UDPSERV_PORT 62201', 'UDPSERV_SELECT_TIMEOUT 1000']

/**
 * Starts fwknopd with these stanzas and waits until it listens.
 * @param directory for its files; its `digest.cache` will be in there.
 * @param capture lines of fwknopd.conf for packet capture, in place of the UDP server, and the TCP ports that are open.
 * @param settings more lines of fwknopd.conf.
 */
export async function startFwknopd(
  net: Network,
  host: Host,
  stanzas: readonly AccessLines[],
  directory = net.directory(),
  capture?: { readonly conf: readonly string[]; readonly ports: readonly number[] },
  settings: readonly string[] = [],
): Promise<Program> {
  const write = (name: string, lines: readonly string[]): string => {
    const path = join(directory, name)
    writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o600 })
    return path
  }
  const conf = write(
    'fwknopd.conf',
    [...FWKNOPD_CONF, ...settings, ...(capture?.conf ?? UDP_SERVER), `FWKNOP_RUN_DIR ${directory}`].map(
      (line) => `${line};`,
    ),
  )
  const access = write(
    'access.conf',
    stanzas.flatMap((lines) => lines.map(([name, value]) => `${name} ${value}`)),
  )
  for (const chain of ['INPUT', 'FORWARD']) {
    host.must(['iptables', '-A', chain, '-m', 'conntrack', '--ctstate', 'ESTABLISHED,RELATED', '-j', 'ACCEPT'])
    if (chain === 'INPUT') host.must(['iptables', '-A', chain, '-p', 'udp', '--dport', '62201', '-j', 'ACCEPT'])
    for (const port of chain === 'INPUT' ? (capture?.ports ?? []) : [])
      host.must(['iptables', '-A', chain, '-p', 'tcp', '--dport', String(port), '-j', 'ACCEPT'])
    host.must(['iptables', '-A', chain, '-p', 'tcp', '-j', 'REJECT', '--reject-with', 'tcp-reset'])
    host.must(['iptables', '-P', chain, 'DROP'])
  }
  const paths = ['-c', conf, '-a', access, '-r', directory, '-p', join(directory, 'pid')]
  const program = host.start(['fwknopd', '-f', ...(capture === undefined ? ['-U'] : []), ...paths])
  await program.says(capture === undefined ? /Kicking off UDP server|Starting fwknopd/ : /Starting fwknopd main event/)
  if (capture !== undefined) return program
  // It logs this before it binds.
  const deadline = performance.now() + 5_000
  while (!host.must(['ss', '-Hlun', 'sport = :62201']).includes('62201'))
    assert.ok(performance.now() < deadline, `fwknopd does not listen:\n${program.output}`)
  return program
}

const ghostport = fileURLToPath(new URL('../../src/cli/ghostport.ts', import.meta.url))

/** The words that run the client from its source. */
export function ghostportCommand(...argv: readonly string[]): readonly string[] {
  return [process.execPath, '--conditions=ghostport-source', ghostport, ...argv]
}

/** Knocks from `host`, with no rc file. */
export function knock(host: Host, ...argv: readonly string[]): Outcome {
  return host.run(ghostportCommand('knock', '--no-rc-file', ...argv))
}
