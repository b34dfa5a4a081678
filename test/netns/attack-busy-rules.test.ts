/**
 * A host with thousands of rules, and a program that changes some of them without a pause, as one that bans addresses
 * does under attack. Knocks open in time all the same: the host's rules are judged when it is quiet.
 *
 *   client 10.9.0.1 ── server 10.9.0.2
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { clientAndServer, Daemon, SERVER, sendPacket, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { sealedPacket } from '../support/sealed.ts'

const RULES = 8000
const SSH = { protocol: 'tcp', address: SERVER, port: 22, timeoutMs: 200 } as const
const CHANGES = `
end=$((SECONDS + $1)); count=0; echo begun
while [ $SECONDS -lt $end ]; do
  iptables-nft -w 5 -A FORWARD -s 192.0.2.9 -j DROP; iptables-nft -w 5 -D FORWARD -s 192.0.2.9 -j DROP; count=$((count + 1))
done
echo "changed $count"
`

describe('a host whose many rules change all the time', { skip: netnsUnavailable() }, () => {
  let net: Network
  let client: Host
  let server: Host

  before(async () => {
    net = await Network.create()
    ;[client, server] = await clientAndServer(net)
    // Something to find.
    server.must(['nft', 'add', 'rule', 'inet', 'filter', 'input', 'tcp', 'dport', '9', 'accept'])
    const rules = Array.from({ length: RULES }, (_, i) => `-A FORWARD -s 192.0.${i >> 8}.${i & 255} -j DROP`)
    server.must(['iptables-nft-restore', '--noflush'], { input: `*filter\n${rules.join('\n')}\nCOMMIT\n` })
  })
  after(() => net?.close())

  it('opens in time, and judges the rules when it is quiet', async () => {
    const changes = server.start(['bash', '-c', CHANGES, 'changes', '15'])
    await changes.says(/begun/)
    const daemon = await Daemon.start(net, server, {
      access: stanza(['OPEN_PORTS tcp/22, tcp/9', 'FW_ACCESS_TIMEOUT 4']),
    })
    for (let i = 0; i < 2; i++) {
      const from = daemon.events.length
      sendPacket(client, SERVER, sealedPacket())
      await daemon.until(({ verdict }) => verdict === 'granted', from, 5_000)
      await client.until('ssh', SSH, 3_500)
      await client.until('timeout', SSH, 8_000)
      await delay(500)
    }
    const [, count = '0'] = await changes.says(/changed (\d+)/)
    assert.ok(Number(count) > 10, `only ${count} changes`)
    await daemon.until(({ event, code }) => event === 'host firewall' && code === 'HOST_OPEN_PORT')
  })
})
