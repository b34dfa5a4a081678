/**
 * `ghostport knock` on the real fwknopd.
 *
 *   client 10.9.0.1 ── 10.9.0.2 server (fwknopd, iptables) 10.9.1.1 ── 10.9.1.2 inner
 *
 * Every case has a stanza of its own, with keys that no other has, and a port of its own: so the port can only have been
 * opened by the packet that is tried, through the stanza that it was made for.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { DIGEST_TYPES, type DigestType } from '../../src/packet/digest-type.ts'
import { ENCRYPTION_MODES, type EncryptionMode } from '../../src/packet/encryption-mode.ts'
import { type Host, Network, netnsUnavailable, type Program } from '../support/netns.ts'
import { type AccessLines, knock, startFwknopd } from './client-fwknopd.ts'

const SERVER = '10.9.0.2'
const CLIENT = '10.9.0.1'
const INNER = '10.9.1.2'

/** One knock, and what must be reachable after it that was not before. */
interface Case {
  readonly name: string
  /** The stanza, without SOURCE and keys. */
  readonly stanza: AccessLines
  readonly hmac: DigestType | 'none'
  readonly mode: EncryptionMode
  readonly argv: readonly string[]
  /** At SERVER. */
  readonly reach: { readonly port: number; readonly answer: string; readonly protocol?: 'tcp' | 'udp' }
}

let nextPort = 20_000
const cases: Case[] = []
function add(name: string, rest: Partial<Case> & Pick<Case, 'argv' | 'reach'>): void {
  cases.push({ name, stanza: [], hmac: 'sha256', mode: 'CBC', ...rest })
}
/** A port that only this case asks for, where a server answers with its number. */
function ownPort(): { port: number; answer: string } {
  const port = nextPort++
  return { port, answer: `service-${port}` }
}

for (const hmac of [...DIGEST_TYPES, 'none'] as const)
  for (const mode of ENCRYPTION_MODES) {
    // fwknop's client refuses the one, and with legacy there is no HMAC.
    if (mode === 'legacy' && hmac !== 'none') continue
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
    stanza: [['REQUIRE_SOURCE_ADDRESS', 'Y']],
  })
  const [one, two] = [ownPort(), ownPort()]
  add('several ports, of which this is the last', {
    reach: two,
    argv: ['-s', '-A', `tcp/${one.port},udp/53`, '-A', `tcp/${two.port}`],
  })
  const udp = { ...ownPort(), protocol: 'udp' } as const
  add('a UDP port', { reach: udp, argv: ['-s', '-A', `udp/${udp.port}`] })
  const timed = ownPort()
  add('type 3: with a timeout', { reach: timed, argv: ['-s', '-A', `tcp/${timed.port}`, '-f', '60'] })
  const user = ownPort()
  add('a user name', {
    reach: user,
    argv: ['-s', '-A', `tcp/${user.port}`, '-U', 'ada lovelace'],
    stanza: [['REQUIRE_USERNAME', 'ada lovelace']],
  })
  const shifted = ownPort()
  add('a time offset within the limit', {
    reach: shifted,
    argv: ['-s', '-A', `tcp/${shifted.port}`, '--time-offset-minus', '1m'],
  })
  const sourcePort = ownPort()
  add('a source port', { reach: sourcePort, argv: ['-s', '-A', `tcp/${sourcePort.port}`, '-S', '4321'] })
  const command = ownPort()
  add('type 0: a command', {
    reach: command,
    argv: ['-s', '-C', `/usr/sbin/iptables -I INPUT -p tcp --dport ${command.port} -j ACCEPT`],
    stanza: [['ENABLE_CMD_EXEC', 'Y']],
  })
  const inner = { port: 55_001, answer: 'inner-22' }
  add('type 2: NAT to an inner host', {
    reach: inner,
    argv: ['-s', '-A', 'tcp/22', '-N', INNER, '--nat-port', '55001'],
  })
  const timedInner = { port: 55_002, answer: 'inner-23' }
  add('type 4: the same with a timeout', {
    reach: timedInner,
    argv: ['-s', '-A', 'tcp/55002', '-N', `${INNER}:23`, '-f', '60'],
  })
  const ghost = { port: 80, answer: 'service-22' }
  add('type 5: a ghost service', { reach: ghost, argv: ['-s', '-A', 'tcp/22', '--nat-local', '--nat-port', '80'] })
  const timedGhost = { port: 81, answer: 'service-22' }
  add('type 6: the same with a timeout', {
    reach: timedGhost,
    argv: ['-s', '-A', 'tcp/22', '--nat-local', '--nat-port', '81', '-f', '60'],
  })
  const named22 = { port: 82, answer: 'service-22' }
  add('a ghost service at a named address', {
    reach: named22,
    argv: ['-s', '-A', 'tcp/82', '--nat-local', '-N', `${SERVER}:22`],
  })
}

describe('ghostport knock opens the real fwknopd', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let fwknopd: Program
  const keyOf = (i: number): string => `encryption-${i}`
  const hmacKeyOf = (i: number): string => `authentication-${i}`

  before(async () => {
    net = await Network.create()
    const inner = await net.host('inner')
    client = await net.host('client')
    server = await net.host('server')
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
    fwknopd = await startFwknopd(
      net,
      server,
      [...cases.entries()].map(([i, { stanza, hmac, mode }]) => [
        ['SOURCE', 'ANY'],
        ['KEY', keyOf(i)],
        ['ENCRYPTION_MODE', mode],
        ...(hmac === 'none' ? [] : [['HMAC_KEY', hmacKeyOf(i)] as const, ['HMAC_DIGEST_TYPE', hmac] as const]),
        ['FW_ACCESS_TIMEOUT', '60'],
        ...stanza,
      ]),
    )
  })
  after(() => net?.close())

  for (const [i, { name, argv, hmac, mode, reach }] of cases.entries())
    it(name, async () => {
      const probe = { protocol: reach.protocol ?? 'tcp', address: SERVER, port: reach.port, timeoutMs: 150 } as const
      const shut =
        probe.protocol === 'tcp' ? await client.tcp(SERVER, reach.port) : await client.udp(SERVER, reach.port, probe)
      assert.match(shut, /^(refused|timeout)$/, 'before the knock')
      const keys = [
        '--key-rijndael',
        keyOf(i),
        ...(hmac === 'none' ? [] : ['--key-hmac', hmacKeyOf(i), '--hmac-digest-type', hmac]),
      ]
      const { status, stderr } = knock(client, '-D', SERVER, '-M', mode, ...keys, ...argv)
      assert.equal(status, 0, stderr)
      await client.until(reach.answer, probe, 3_000).catch((error: unknown) => {
        throw new Error(`fwknopd said:\n${fwknopd.output.split('\n').slice(-6).join('\n')}`, { cause: error })
      })
    })

  it('and what fwknopd must not take, it does not', async () => {
    const shut = nextPort // nobody listens; what counts is that no rule lets it through
    const open = cases.length - 1
    const good = ['-D', SERVER, '-s', '--key-rijndael', keyOf(open), '--key-hmac', hmacKeyOf(open)]
    const bad: readonly (readonly string[])[] = [
      ['-A', `tcp/${shut}`, '--time-offset-plus', '1h'],
      ['-A', `tcp/${shut}`, '--time-offset-minus', '5m'],
      ['-A', `tcp/${shut}`, '--hmac-digest-type', 'sha512'],
      ['-A', `tcp/${shut}`, '-M', 'CTR'],
      ['-A', `tcp/${shut}`, '-T'],
    ]
    for (const argv of bad) assert.equal(knock(client, ...good, ...argv).status, 0)
    // fwknopd looks at one packet after the other: once this one has opened, the others were judged.
    assert.equal(knock(client, ...good, '-A', `tcp/${shut + 1}`).status, 0)
    const rules = (): string => server.must(['iptables', '-S', 'FWKNOP_INPUT'])
    const deadline = performance.now() + 3_000
    while (!rules().includes(`--dport ${shut + 1} `)) {
      assert.ok(performance.now() < deadline, fwknopd.output.slice(-3_000))
      await delay(20) // fwknopd's log is a pipe that only we empty
    }
    assert.ok(!rules().includes(`--dport ${shut} `))
  })
})
