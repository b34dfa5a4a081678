/**
 * What ghostport and fwknop both support, as knocks for both directions: our client on the real fwknopd, and the real
 * client on our server.
 *
 * Every case has a stanza with keys and a port of its own. So the port can only have been opened by this packet,
 * through this stanza.
 */
import { DIGEST_TYPES, type DigestType } from '../../src/packet/digest-type.ts'
import { ENCRYPTION_MODES, type EncryptionMode } from '../../src/packet/encryption-mode.ts'
import type { Host, Network } from '../support/netns.ts'
import type { AccessLines } from './client-fwknopd.ts'

export const SERVER = '10.9.0.2'
export const CLIENT = '10.9.0.1'
export const INNER = '10.9.1.2'
const FIRST_PORT = 20_000

/** One knock, and what must be reachable after it that was not before. */
export interface Case {
  readonly name: string
  /** More lines for the stanza. */
  readonly stanza: AccessLines
  /** Where ghostport's stanza may lead; fwknop has no such setting. Absent: anywhere. */
  readonly natTargets?: string
  readonly hmac: DigestType | 'none'
  readonly mode: EncryptionMode
  /** Understood by both clients. */
  readonly argv: readonly string[]
  /** At SERVER. */
  readonly reach: { readonly port: number; readonly answer: string; readonly protocol?: 'tcp' | 'udp' }
}

export class CaseTable {
  readonly all: Case[] = []
  #nextPort = FIRST_PORT

  add(name: string, rest: Partial<Case> & Pick<Case, 'argv' | 'reach'>): void {
    this.all.push({ name, stanza: [], hmac: 'sha256', mode: 'CBC', ...rest })
  }

  /** A port that only one case asks for, where a server answers with its number. */
  ownPort(): { port: number; answer: string } {
    const port = this.#nextPort++
    return { port, answer: `service-${port}` }
  }

  /** The first of the ports that no case asks for and where nothing listens. */
  get unusedPort(): number {
    return this.#nextPort
  }
}

export function sharedCases(): CaseTable {
  const table = new CaseTable()
  addAlgorithms(table)
  addRequests(table)
  addTranslations(table)
  return table
}

function addAlgorithms(table: CaseTable): void {
  for (const hmac of [...DIGEST_TYPES, 'none'] as const)
    for (const mode of ENCRYPTION_MODES) {
      // fwknop's client refuses to send it: legacy has no HMAC.
      if (mode === 'legacy' && hmac !== 'none') continue
      const reach = table.ownPort()
      table.add(`HMAC ${hmac}, mode ${mode}`, { hmac, mode, reach, argv: ['-s', '-A', `tcp/${reach.port}`] })
    }
  for (const digest of DIGEST_TYPES) {
    const reach = table.ownPort()
    table.add(`message digest ${digest}`, { reach, argv: ['-s', '-A', `tcp/${reach.port}`, '-m', digest] })
  }
}

function addRequests(table: CaseTable): void {
  const named = table.ownPort()
  table.add('an address named in the packet', {
    reach: named,
    argv: ['-a', CLIENT, '-A', `tcp/${named.port}`],
    stanza: [['REQUIRE_SOURCE_ADDRESS', 'Y']],
  })
  const [one, two] = [table.ownPort(), table.ownPort()]
  table.add('several ports, of which this is the last', {
    reach: two,
    argv: ['-s', '-A', `tcp/${one.port},udp/53,tcp/${two.port}`],
  })
  const udp = { ...table.ownPort(), protocol: 'udp' } as const
  table.add('a UDP port', { reach: udp, argv: ['-s', '-A', `udp/${udp.port}`] })
  const timed = table.ownPort()
  table.add('type 3: with a timeout', { reach: timed, argv: ['-s', '-A', `tcp/${timed.port}`, '-f', '60'] })
  const user = table.ownPort()
  table.add('a user name', {
    reach: user,
    argv: ['-s', '-A', `tcp/${user.port}`, '-U', 'ada lovelace'],
    stanza: [['REQUIRE_USERNAME', 'ada lovelace']],
  })
  for (const [unit, offset] of [
    ['seconds', '60'],
    ['minutes', '1m'],
  ] as const) {
    const reach = table.ownPort()
    const argv = ['-s', '-A', `tcp/${reach.port}`, '--time-offset-minus', offset]
    table.add(`a time offset within the limit, in ${unit}`, { reach, argv })
  }
}

function addTranslations(table: CaseTable): void {
  table.add('type 2: NAT to an inner host', {
    reach: { port: 55_001, answer: 'inner-22' },
    argv: ['-s', '-A', 'tcp/22', '-N', INNER, '--nat-port', '55001'],
    natTargets: `${INNER}:22`,
  })
  table.add('type 4: the same with a timeout', {
    reach: { port: 55_002, answer: 'inner-23' },
    argv: ['-s', '-A', 'tcp/55002', '-N', `${INNER}:23`, '-f', '60'],
  })
  table.add('type 5: a ghost service', {
    reach: { port: 80, answer: 'service-22' },
    argv: ['-s', '-A', 'tcp/22', '--nat-local', '--nat-port', '80'],
  })
  table.add('type 6: the same with a timeout', {
    reach: { port: 81, answer: 'service-22' },
    argv: ['-s', '-A', 'tcp/22', '--nat-local', '--nat-port', '81', '-f', '60'],
  })
}

/** The stanza of the `i`-th case. */
export function stanzaOf(i: number, { stanza, hmac, mode }: Case): AccessLines {
  return [
    ['SOURCE', 'ANY'],
    ['KEY', keyOf(i)],
    ['ENCRYPTION_MODE', mode],
    ...(hmac === 'none' ? [] : [['HMAC_KEY', hmacKeyOf(i)] as const, ['HMAC_DIGEST_TYPE', hmac] as const]),
    ['FW_ACCESS_TIMEOUT', '60'],
    ...stanza,
  ]
}

/** The words that make either client send the `i`-th case's packet. */
export function flagsOf(i: number, { hmac, mode, argv }: Case): readonly string[] {
  const keys = hmac === 'none' ? ['--key-rijndael', keyOf(i)] : [...keyFlagsOf(i), '--hmac-digest-type', hmac]
  return ['-M', mode, ...keys, ...argv]
}

/** Both keys of the `i`-th case. */
export function keyFlagsOf(i: number): readonly string[] {
  return ['--key-rijndael', keyOf(i), '--key-hmac', hmacKeyOf(i)]
}

function keyOf(i: number): string {
  return `encryption-${i}`
}

function hmacKeyOf(i: number): string {
  return `authentication-${i}`
}

/** Makes `client 10.9.0.1 ── 10.9.0.2 server 10.9.1.1 ── 10.9.1.2 inner`, with every service that the cases reach. */
export async function interopHosts(net: Network, table: CaseTable): Promise<{ client: Host; server: Host }> {
  const [client, server, inner] = [await net.host('client'), await net.host('server'), await net.host('inner')]
  await net.link(client, [`${CLIENT}/24`], server, [`${SERVER}/24`])
  await net.link(server, ['10.9.1.1/24'], inner, [`${INNER}/24`])
  inner.must(['ip', 'route', 'add', 'default', 'via', '10.9.1.1'])
  server.sysctl({ 'net.ipv4.ip_forward': 1 })
  await inner.listen([22, 23].map((port) => ({ protocol: 'tcp', port, banner: `inner-${port}` })))
  const ports = [22, ...Array.from({ length: table.unusedPort - FIRST_PORT }, (_, i) => FIRST_PORT + i)]
  await server.listen(
    ports.flatMap((port) => [
      { protocol: 'tcp' as const, port, banner: `service-${port}` },
      { protocol: 'udp' as const, port, banner: `service-${port}` },
    ]),
  )
  return { client, server }
}
