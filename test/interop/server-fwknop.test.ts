/**
 * The real fwknop client (Debian's package) knocks on `ghostport serve`, behind default drop (`cases.ts` draws the
 * hosts).
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Daemon, dropByDefault } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable, type Outcome } from '../support/netns.ts'
import { type Case, flagsOf, interopHosts, keyFlagsOf, SERVER, sharedCases, stanzaOf } from './cases.ts'

const table = sharedCases()
const cases = table.all

/** Text of access.conf. */
function accessOf(each: Case, i: number): string {
  const lines = stanzaOf(i, each).map(([name, value]) => `${name} ${value}\n`)
  return [...lines, each.natTargets === undefined ? '' : `NAT_TARGETS ${each.natTargets}\n`].join('')
}

describe('the real fwknop client opens ghostport', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let daemon: Daemon

  before(async () => {
    net = await Network.create()
    ;({ client, server } = await interopHosts(net, table))
    dropByDefault(server)
    const conf = ['ENABLE_IPT_FORWARDING Y', 'ENABLE_IPT_LOCAL_NAT Y']
    daemon = await Daemon.start(net, server, { server: conf, access: cases.map(accessOf).join('') })
  })
  after(() => net?.close())

  const fwknop = (...argv: readonly string[]): Outcome =>
    client.run(['fwknop', '--no-rc-file', '--no-home-dir', '--no-save-args', '-E', 'none', '-D', SERVER, ...argv])

  for (const [i, each] of cases.entries())
    it(each.name, async () => {
      const { reach } = each
      const probe = { protocol: reach.protocol ?? 'tcp', address: SERVER, port: reach.port, timeoutMs: 50 } as const
      const shut =
        probe.protocol === 'tcp' ? client.tcp(SERVER, reach.port, probe) : client.udp(SERVER, reach.port, probe)
      assert.equal(await shut, 'timeout', 'before the knock')
      const verdict = await daemon.verdictAfter(() => {
        const { status, stderr, stdout } = fwknop(...flagsOf(i, each))
        assert.equal(status, 0, stderr + stdout)
      })
      assert.equal(verdict.verdict, 'granted', JSON.stringify(verdict))
      assert.equal(verdict.stanza, i + 1)
      await client.until(reach.answer, { ...probe, timeoutMs: 500 }, 3_000)
    })

  const refusals: [what: string, code: RegExp, argv: readonly string[]][] = [
    ['a clock an hour ahead', /^SPA_FROM_FUTURE$/, ['--time-offset-plus', '1h']],
    ['a clock five minutes behind', /^SPA_STALE$/, ['--time-offset-minus', '5m']],
    // The stanzas without HMAC take the HMAC for ciphertext, which is then not valid base64.
    ['another HMAC type', /^SPA_(HMAC_MISMATCH|MALFORMED)$/, ['--hmac-digest-type', 'sha512']],
  ]
  for (const [what, code, more] of refusals)
    it(`refuses ${what} with ${code.source}`, async () => {
      const i = cases.length - 1
      const shut = table.unusedPort
      const verdict = await daemon.verdictAfter(() => {
        assert.equal(fwknop(...keyFlagsOf(i), '-s', '-A', `tcp/${shut}`, ...more).status, 0)
      })
      assert.equal(verdict.verdict, 'refused')
      assert.match(verdict.code ?? '', code)
      if (verdict['clock'] !== undefined) {
        const { packet, server: ours } = verdict['clock'] as { packet: number; server: number }
        assert.ok(Math.abs(packet - ours) > 120)
      }
    })
})
