import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defaultChains } from '../../config/server/firewall-settings.ts'
import type { IpAddress } from '../../packet/address.ts'
import type { Instant } from '../book.ts'
import { TCP, UDP } from '../connections/tracked.ts'
import { HeldFlows, heldRules, readHeldFlows } from './held-flows.ts'
import { parseSave } from './save.ts'

const UNTIL = 1_000 as Instant

function flow(client: string, clientPort: number, protocol = UDP) {
  const reply = { source: '192.0.2.1' as IpAddress, sourcePort: 1194, destination: client as IpAddress }
  return { protocol, reply: { ...reply, destinationPort: clientPort } }
}

function rulesIn(held: HeldFlows): readonly string[] {
  return held
    .live(0 as Instant)
    .flatMap(({ flow }) => heldRules(flow, { boot: UNTIL, wall: 5_000 }))
    .map(({ role, text }) => `${role} ${text.replace(/ -m time.*$/, '')}`)
}

describe('flows that are held back', () => {
  test('UDP has a rule for services here and one for others, TCP only for others', () => {
    const held = new HeldFlows()
    assert.equal(held.hold([flow('192.0.2.7', 40053), flow('192.0.2.7', 50001, TCP)], UNTIL).left, 0)
    const udp = '-s 192.0.2.1/32 -d 192.0.2.7/32 -p udp -m udp --sport 1194 --dport 40053 -m conntrack --ctstate NEW'
    const tcp = udp.replaceAll('udp', 'tcp').replace('40053', '50001')
    assert.deepEqual(rulesIn(held), [`output ${udp}`, `forward ${udp}`, `forward ${tcp}`])
  })

  test('many flows of one client to one service have one rule, and all are named whose rules change', () => {
    const held = new HeldFlows()
    const { touched } = held.hold([flow('192.0.2.8', 1), ...ports(8).map((at) => flow('192.0.2.7', at))], UNTIL)
    assert.equal(touched.size, 9)
    const { touched: more, left } = held.hold(
      ports(5_000).map((at) => flow('192.0.2.7', at + 100)),
      UNTIL,
    )
    assert.deepEqual([more.size, left], [9, 0])
    const wide = '-s 192.0.2.1/32 -d 192.0.2.7/32 -p udp -m udp --sport 1194 -m conntrack --ctstate NEW'
    assert.deepEqual(rulesIn(held).slice(2), [`output ${wide}`, `forward ${wide}`])
  })

  test('one call takes half of the places, and the rest is told', () => {
    const held = new HeldFlows()
    const first = held.hold([flow('198.51.100.1', 1)], UNTIL)
    assert.equal(
      held.hold(
        ports(200).map((at) => flow(`192.0.2.${at}`, 1)),
        UNTIL,
      ).left,
      72,
    )
    assert.equal(held.live(0 as Instant).length, 129)
    for (const net of [1, 2])
      held.hold(
        ports(128).map((at) => flow(`203.0.${net}.${at}`, 1)),
        UNTIL,
      )
    assert.equal(held.live(0 as Instant).length, 256)
    assert.equal(
      held.live(0 as Instant).some(({ id }) => first.touched.has(id)),
      false,
      'the oldest made room',
    )
  })

  test('only what soon ends, and whose service sent, lasts longer', () => {
    const held = new HeldFlows()
    held.hold([flow('192.0.2.7', 1), flow('192.0.2.7', 2)], UNTIL)
    held.hold([flow('192.0.2.7', 3)], 9_000 as Instant)
    const hit = held.live(0 as Instant).flatMap(({ flow }) => (flow.destinationPort === 2 ? [] : [flow]))
    assert.equal(held.renew(hit, 5_000 as Instant, 10_000 as Instant).size, 1)
    const ports = held.live(UNTIL).map(({ flow, until }) => [flow.destinationPort, until])
    assert.deepEqual(ports, [
      [3, 9_000],
      [1, 10_000],
    ])
  })

  for (const [client, network] of [
    ['192.0.2.7', '32'],
    ['2001:db8::7', '128'],
  ] as const)
    test(`are read back as iptables lists them: ${client}`, () => {
      const source = client.includes(':') ? '2001:db8::1' : '192.0.2.1'
      const lines = (port: string) =>
        `-s ${source}/${network} -d ${client}/${network} -p udp -m udp --sport 1194${port} -m conntrack --ctstate NEW -m time --datestop 2024-11-27T00:33:54 -m comment --comment _exp_1732667635 -j DROP`
      const tables = parseSave(
        `*filter\n:FWKNOP_OUTPUT - [0:0]\n[3:120] -A FWKNOP_OUTPUT ${lines(' --dport 40053')}\n[0:0] -A FWKNOP_OUTPUT ${lines('')}\nCOMMIT\n`,
      )
      const both = { protocol: 'udp', source, sourcePort: 1194, destination: client }
      assert.deepEqual(readHeldFlows(tables, defaultChains), [
        { flow: { ...both, destinationPort: 40053 }, expires: 1_732_667_635, isHit: true },
        { flow: both, expires: 1_732_667_635, isHit: false },
      ])
    })
})

function ports(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i + 1)
}
