/**
 * The real fwknop client (Debian's package) knocks on `ghostport serve`.
 *
 *   client 10.9.0.1 ── 10.9.0.2 server (ghostport, default drop) 10.9.1.1 ── 10.9.1.2 inner
 *
 * As in the other direction, every case has a stanza with keys of its own and a port of its own.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { DIGEST_TYPES, type DigestType } from '../../src/packet/digest-type.ts'
import { ENCRYPTION_MODES, type EncryptionMode } from '../../src/packet/encryption-mode.ts'
import { Daemon, dropByDefault } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable, type Outcome } from '../support/netns.ts'

const SERVER = '10.9.0.2'
const CLIENT = '10.9.0.1'
const INNER = '10.9.1.2'

interface Case {
  readonly name: string
  readonly stanza: readonly string[]
  readonly hmac: DigestType | 'none'
  readonly mode: EncryptionMode
  readonly argv: readonly string[]
  readonly reach: { readonly port: number; readonly answer: string; readonly protocol?: 'tcp' | 'udp' }
}

let nextPort = 20_000
const cases: Case[] = []
function add(name: string, rest: Partial<Case> & Pick<Case, 'argv' | 'reach'>): void {
  cases.push({ name, stanza: [], hmac: 'sha256', mode: 'CBC', ...rest })
}
function ownPort(): { port: number; answer: string } {
  const port = nextPort++
  return { port, answer: `service-${port}` }
}

for (const hmac of [...DIGEST_TYPES, 'none'] as const)
  for (const mode of ENCRYPTION_MODES) {
    if (mode === 'legacy' && hmac !== 'none') continue // fwknop refuses to send it
    const reach = ownPort()
    add(`HMAC ${hmac}, mode ${mode}`, { hmac, mode, reach, argv: ['-s', '-A', `tcp/${reach.port}`] })
  }
for (const digest of DIGEST_TYPES) {
  const reach = ownPort()
  add(`message digest ${digest}`, { reach, argv: ['-s', '-A', `tcp/${reach.port}`, '-m', digest] })
}
{
  const named = ownPort()
  add('an address named in the packet', {
    reach: named,
    argv: ['-a', CLIENT, '-A', `tcp/${named.port}`],
    stanza: ['REQUIRE_SOURCE_ADDRESS Y'],
  })
  const [one, two] = [ownPort(), ownPort()]
  add('several ports, of which this is the last', {
    reach: two,
    argv: ['-s', '-A', `tcp/${one.port},udp/53,tcp/${two.port}`],
  })
  const udp = { ...ownPort(), protocol: 'udp' } as const
  add('a UDP port', { reach: udp, argv: ['-s', '-A', `udp/${udp.port}`] })
  const timed = ownPort()
  add('type 3: with a timeout', { reach: timed, argv: ['-s', '-A', `tcp/${timed.port}`, '-f', '60'] })
  const user = ownPort()
  add('a user name', {
    reach: user,
    argv: ['-s', '-A', `tcp/${user.port}`, '-U', 'ada lovelace'],
    stanza: ['REQUIRE_USERNAME ada lovelace'],
  })
  const shifted = ownPort()
  add('a time offset within the limit', {
    reach: shifted,
    argv: ['-s', '-A', `tcp/${shifted.port}`, '--time-offset-minus', '60'],
  })
  add('type 2: NAT to an inner host', {
    reach: { port: 55_001, answer: 'inner-22' },
    argv: ['-s', '-A', 'tcp/22', '-N', INNER, '--nat-port', '55001'],
    stanza: [`NAT_TARGETS ${INNER}:22`],
  })
  add('type 4: the same with a timeout', {
    reach: { port: 55_002, answer: 'inner-23' },
    argv: ['-s', '-A', 'tcp/55002', '-N', `${INNER}:23`, '-f', '60'],
  })
  add('type 5: a ghost service', {
    reach: { port: 80, answer: 'service-22' },
    argv: ['-s', '-A', 'tcp/22', '--nat-local', '--nat-port', '80'],
  })
  add('type 6: the same with a timeout', {
    reach: { port: 81, answer: 'service-22' },
    argv: ['-s', '-A', 'tcp/22', '--nat-local', '--nat-port', '81', '-f', '60'],
  })
}

describe('the real fwknop client opens ghostport', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let daemon: Daemon
  const keyOf = (i: number): string => `encryption-${i}`
  const hmacKeyOf = (i: number): string => `authentication-${i}`

  before(async () => {
    net = await Network.create()
    const inner = await net.host('inner')
    ;[client, server] = [await net.host('client'), await net.host('server')]
    await net.link(client, [`${CLIENT}/24`], server, [`${SERVER}/24`])
    await net.link(server, ['10.9.1.1/24'], inner, [`${INNER}/24`])
    inner.must(['ip', 'route', 'add', 'default', 'via', '10.9.1.1'])
    server.sysctl({ 'net.ipv4.ip_forward': 1 })
    await inner.listen([22, 23].map((port) => ({ protocol: 'tcp', port, banner: `inner-${port}` })))
    const ports = [22, ...Array.from({ length: nextPort - 20_000 }, (_, i) => 20_000 + i)]
    await server.listen(
      ports.flatMap((port) => [
        { protocol: 'tcp' as const, port, banner: `service-${port}` },
        { protocol: 'udp' as const, port, banner: `service-${port}` },
      ]),
    )
    dropByDefault(server)
    const access = cases.flatMap(({ stanza, hmac, mode }, i) => [
      'SOURCE ANY',
      `KEY ${keyOf(i)}`,
      `ENCRYPTION_MODE ${mode}`,
      ...(hmac === 'none' ? [] : [`HMAC_KEY ${hmacKeyOf(i)}`, `HMAC_DIGEST_TYPE ${hmac}`]),
      'FW_ACCESS_TIMEOUT 60',
      ...stanza,
    ])
    const conf = ['ENABLE_IPT_FORWARDING Y', 'ENABLE_IPT_LOCAL_NAT Y']
    daemon = await Daemon.start(net, server, { server: conf, access: `${access.join('\n')}\n` })
  })
  after(() => net?.close())

  const fwknop = (...argv: readonly string[]): Outcome =>
    client.run(['fwknop', '--no-rc-file', '--no-home-dir', '--no-save-args', '-E', 'none', '-D', SERVER, ...argv])

  for (const [i, { name, argv, hmac, mode, reach }] of cases.entries())
    it(name, async () => {
      const probe = { protocol: reach.protocol ?? 'tcp', address: SERVER, port: reach.port, timeoutMs: 50 } as const
      const shut =
        probe.protocol === 'tcp' ? client.tcp(SERVER, reach.port, probe) : client.udp(SERVER, reach.port, probe)
      assert.equal(await shut, 'timeout', 'before the knock')
      const keys = [
        '--key-rijndael',
        keyOf(i),
        ...(hmac === 'none' ? [] : ['--key-hmac', hmacKeyOf(i), '--hmac-digest-type', hmac]),
      ]
      const verdict = await daemon.verdictAfter(() => {
        const { status, stderr, stdout } = fwknop('-M', mode, ...keys, ...argv)
        assert.equal(status, 0, stderr + stdout)
      })
      assert.equal(verdict.verdict, 'granted', JSON.stringify(verdict))
      assert.equal(verdict.stanza, i + 1)
      await client.until(reach.answer, { ...probe, timeoutMs: 500 }, 3_000)
    })

  const refusals: [what: string, code: RegExp, argv: readonly string[]][] = [
    ['a clock an hour ahead', /^SPA_FROM_FUTURE$/, ['--time-offset-plus', '1h']],
    ['a clock five minutes behind', /^SPA_STALE$/, ['--time-offset-minus', '5m']],
    // The stanzas without HMAC take the tag for ciphertext, and find the base64 wrong.
    ['another HMAC type', /^SPA_(HMAC_MISMATCH|MALFORMED)$/, ['--hmac-digest-type', 'sha512']],
  ]
  for (const [what, code, more] of refusals)
    it(`refuses ${what} with ${code.source}`, async () => {
      const i = cases.length - 1
      const shut = nextPort
      const verdict = await daemon.verdictAfter(() => {
        const keys = ['--key-rijndael', keyOf(i), '--key-hmac', hmacKeyOf(i)]
        assert.equal(fwknop(...keys, '-s', '-A', `tcp/${shut}`, ...more).status, 0)
      })
      assert.equal(verdict.verdict, 'refused')
      assert.match(verdict.code ?? '', code)
      if (verdict['clock'] !== undefined) {
        const { packet, server: ours } = verdict['clock'] as { packet: number; server: number }
        assert.ok(Math.abs(packet - ours) > 120)
      }
    })
})
