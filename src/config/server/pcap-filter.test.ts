import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { networkContains, parseAddress } from '../../packet/address.ts'
import { type Carrier, type FilteredPacket, formatFilter, packetFilter, passes, udpPortsOf } from './pcap-filter.ts'

function packet(carrier: Carrier, source: string, destination: string, sourcePort = 0, destinationPort = 0) {
  const [from, to] = [source, destination].map((text) => {
    const address = parseAddress(text)
    if (!address.ok) throw new Error(text)
    return address.value
  })
  return {
    ...{ carrier, sourcePort, destinationPort, family: source.includes(':') ? 6 : 4 },
    isWithin: (side, network) => networkContains(network, (side === 'source' ? from : to) as never),
  } satisfies FilteredPacket as FilteredPacket
}

const packets = {
  udp: packet('udp', '192.0.2.7', '198.51.100.1', 40_000, 62_201),
  web: packet('tcp', '192.0.2.7', '198.51.100.1', 40_000, 80),
  answer: packet('tcp', '198.51.100.1', '192.0.2.7', 80, 40_000),
  ping: packet('icmp', '192.0.2.7', '198.51.100.1'),
  web6: packet('tcp', '2001:db8::7', '2001:db8::1', 40_000, 80),
  ping6: packet('icmp6', '2001:db8::7', '2001:db8::1'),
} as const

const understood: readonly [string, readonly (keyof typeof packets)[]][] = [
  ['udp port 62201', ['udp']],
  ['udp dst port 62201', ['udp']],
  ['tcp port 80', ['web', 'web6']],
  ['port 80', ['web', 'web6']],
  ['tcp src port 80', ['answer']],
  ['tcp src or dst port 80', ['web', 'answer', 'web6']],
  ['tcp src and dst port 80', []],
  ['port 80 or 62201', ['udp', 'web', 'web6']],
  ['udp dst portrange 10000-65535', ['udp']],
  ['icmp', ['ping']],
  ['icmp6', ['ping6']],
  ['icmp or icmp6', ['ping', 'ping6']],
  ['tcp', ['web', 'answer', 'web6']],
  ['ip6', ['web6', 'ping6']],
  ['ip and tcp', ['web', 'answer']],
  ['ip6 port 80', ['web6']],
  ['not tcp', ['udp', 'ping', 'ping6']],
  ['! tcp && !icmp', ['udp', 'ping6']],
  ['udp and (port 62201 or portrange 50-60)', ['udp']],
  ['host 192.0.2.7', ['udp', 'web', 'answer', 'ping']],
  ['src host 192.0.2.7 and tcp port 80', ['web']],
  ['dst net 198.51.100.0/24', ['udp', 'web', 'ping']],
  ['src net 2001:db8::/32 and port 80', ['web6']],
  // `and` and `or` bind equally, as in libpcap.
  ['icmp or tcp and host 198.51.100.1', ['web', 'answer', 'ping']],
  ['icmp or (tcp and src host 198.51.100.1)', ['answer', 'ping']],
  ['host 10.0.0.1 or 192.0.2.7 and udp', ['udp']],
]

describe('PCAP_FILTER', () => {
  for (const [text, expected] of understood)
    it(`understands “${text}”, and its own spelling of it`, () => {
      const read = packetFilter(text)
      assert.ok(read.ok, text)
      const again = packetFilter(formatFilter(read.value))
      assert.ok(again.ok, formatFilter(read.value))
      for (const filter of [read.value, again.value])
        assert.deepEqual(
          Object.keys(packets).filter((name) => passes(filter, packets[name as keyof typeof packets])),
          expected,
        )
    })

  const refused: readonly [string, RegExp, string?][] = [
    ['', /empty/, 'udp port 62201'],
    ['udp prot 62201', /“prot”/, 'port'],
    ['tcp[13] & 2 != 0', /“tcp\[13\]”/],
    ['ether host 00:11:22:33:44:55', /“ether”/],
    ['vlan 5', /“vlan”/],
    ['udp port http', /write the number/],
    ['udp port 10-20', /range/, 'portrange 10-20'],
    ['udp port 0', /0/],
    ['udp dst portrange 20-10', /reversed/, '10-20'],
    ['icmp port 8', /no ports/, 'icmp'],
    ['host spa.example', /write the address/],
    ['host 10.0.0.0/8', /network/, 'net 10.0.0.0/8'],
    ['net 10.0.0.0/33', /mask/],
    ['ip6 host 10.0.0.1', /not a filter/, 'host 10.0.0.1'],
    ['udp host 10.0.0.1', /not a filter/, 'udp and host 10.0.0.1'],
    ['udp port', /missing/],
    ['udp and', /too early/],
    ['(udp port 5', /“\)” is missing/],
    ['udp port 5)', /without a “\(”/],
    ['udp port 5 tcp', /“tcp”/],
    ['src 10.0.0.1', /after src or dst/],
    ['62201', /“62201”/],
    [`${'('.repeat(40)}udp${')'.repeat(40)}`, /levels/],
    [Array(200).fill('udp').join(' or '), /too long/],
  ]
  for (const [text, detail, suggestion] of refused)
    it(`refuses “${text.slice(0, 40)}”`, () => {
      const read = packetFilter(text)
      assert.ok(!read.ok)
      assert.equal(read.failure.code, 'CONFIG_INVALID_VALUE')
      assert.match(read.failure.detail, detail)
      if (suggestion !== undefined) assert.equal(read.failure.suggestion, suggestion)
    })

  it('knows filters that say nothing but UDP ports', () => {
    const ports = (text: string) => {
      const read = packetFilter(text)
      return read.ok ? udpPortsOf(read.value) : undefined
    }
    assert.deepEqual(ports('udp port 53 or udp portrange 10-20'), [
      { first: 53, last: 53 },
      { first: 10, last: 20 },
    ])
    assert.equal(ports('udp port 53 or icmp'), undefined)
    assert.equal(ports('udp src port 53'), undefined)
    assert.equal(ports('port 53'), undefined)
  })

  it('never throws, and reads its own spelling back', () => {
    const word = fc.constantFrom(
      ...['udp', 'tcp', 'icmp', 'icmp6', 'ip', 'ip6', 'src', 'dst', 'port', 'portrange', 'host', 'net', 'and', 'or'],
      ...['not', '(', ')', '!', '&&', '||', '&', '53', '10-20', '10.0.0.1', '10.0.0.0/8', '2001:db8::/32', 'x'],
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(word, { maxLength: 24 }).map((words) => words.join(' ')),
        ),
        (text) => {
          const read = packetFilter(text)
          if (!read.ok) return
          const again = packetFilter(formatFilter(read.value))
          assert.ok(again.ok, formatFilter(read.value))
          for (const one of Object.values(packets)) assert.equal(passes(again.value, one), passes(read.value, one))
        },
      ),
      { numRuns: 2000 },
    )
  })
})
