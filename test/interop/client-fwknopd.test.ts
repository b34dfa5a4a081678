/**
 * `ghostport knock` on the real fwknopd, behind iptables on the server (`cases.ts` draws the hosts). Tests what both
 * support, what fwknop's own client cannot send, and what ghostport's server does not support yet.
 */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { some } from '../support/in-full.ts'
import { type Host, Network, netnsUnavailable, type Program } from '../support/netns.ts'
import { flagsOf, interopHosts, keyFlagsOf, SERVER, sharedCases, stanzaOf } from './cases.ts'
import { knock, startFwknopd } from './client-fwknopd.ts'

const table = sharedCases()
const cases = table.all
{
  const [one, two] = [table.ownPort(), table.ownPort()]
  table.add('several ports, by several flags', {
    reach: two,
    argv: ['-s', '-A', `tcp/${one.port},udp/53`, '-A', `tcp/${two.port}`],
  })
  const sourcePort = table.ownPort()
  table.add('a source port', { reach: sourcePort, argv: ['-s', '-A', `tcp/${sourcePort.port}`, '-S', '4321'] })
  const command = table.ownPort()
  table.add('type 0: a command', {
    reach: command,
    argv: ['-s', '-C', `/usr/sbin/iptables -I INPUT -p tcp --dport ${command.port} -j ACCEPT`],
    stanza: [['ENABLE_CMD_EXEC', 'Y']],
  })
  table.add('a ghost service at a named address', {
    reach: { port: 82, answer: 'service-22' },
    argv: ['-s', '-A', 'tcp/82', '--nat-local', '-N', `${SERVER}:22`],
  })
}

describe('ghostport knock opens the real fwknopd', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host
  let fwknopd: Program

  before(async () => {
    net = await Network.create()
    ;({ client, server } = await interopHosts(net, table))
    fwknopd = await startFwknopd(
      net,
      server,
      cases.map((each, i) => stanzaOf(i, each)),
    )
  })
  after(() => net?.close())

  for (const [i, each] of some(cases.entries(), 3))
    it(each.name, async () => {
      const { reach } = each
      const probe = { protocol: reach.protocol ?? 'tcp', address: SERVER, port: reach.port, timeoutMs: 150 } as const
      const shut =
        probe.protocol === 'tcp' ? await client.tcp(SERVER, reach.port) : await client.udp(SERVER, reach.port, probe)
      assert.match(shut, /^(refused|timeout)$/, 'before the knock')
      const { status, stderr } = knock(client, '-D', SERVER, ...flagsOf(i, each))
      assert.equal(status, 0, stderr)
      await client.until(reach.answer, probe, 3_000).catch((error: unknown) => {
        throw new Error(`fwknopd said:\n${fwknopd.output.split('\n').slice(-6).join('\n')}`, { cause: error })
      })
    })

  it('and what fwknopd must not take, it does not', async () => {
    const shut = table.unusedPort // nobody listens; what counts is that no rule lets it through
    const open = cases.length - 1
    const good = ['-D', SERVER, '-s', ...keyFlagsOf(open)]
    const bad: readonly (readonly string[])[] = [
      ['-A', `tcp/${shut}`, '--time-offset-plus', '1h'],
      ['-A', `tcp/${shut}`, '--time-offset-minus', '5m'],
      ['-A', `tcp/${shut}`, '--hmac-digest-type', 'sha512'],
      ['-A', `tcp/${shut}`, '-M', 'CTR'],
      ['-A', `tcp/${shut}`, '-T'],
    ]
    for (const argv of bad) assert.equal(knock(client, ...good, ...argv).status, 0)
    // fwknopd handles one packet after the other: once this one has opened its port, the others were judged.
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
