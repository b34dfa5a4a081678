import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { interpret } from '../../../test/support/bpf-interpreter.ts'
import { icmpFrame, tcpFrame, type UdpFrame, udpFrame } from '../../../test/support/udp-frame.ts'
import { packetFilter, passes } from '../../config/server/pcap-filter.ts'
import { familyOf, networkContains } from '../../packet/address.ts'
import { carrierFilter } from './carrier-filter.ts'
import { parseFrame } from './frame.ts'
import { CARRIERS_OF } from './ip-header.ts'

const BOUNDS = { minimumPayload: 100, maximumPayload: 1500 }
const byCard = { interfaceIndex: 2, isChecksumUnchecked: true }
const six = { source: '2001:db8::7', destination: '2001:db8::1' }
const text = (start: string, length: number) => new TextEncoder().encode(start.padEnd(length, 'A'))

function filterOf(filter: string) {
  const read = packetFilter(filter)
  assert.ok(read.ok, filter)
  return read.value
}

const makers = { udp: udpFrame, tcp: tcpFrame, icmp: icmpFrame } as const

describe('the kernel filter of a PCAP_FILTER', () => {
  const accepts = (filter: string, frame: Uint8Array): boolean =>
    interpret(carrierFilter(filterOf(filter), BOUNDS), frame) > 0

  const accepted: readonly [string, string, Uint8Array][] = [
    ['TCP', 'tcp port 80', tcpFrame({})],
    [
      'TCP with options of both headers',
      'tcp port 80',
      tcpFrame({ options: new Uint8Array(40), tcpOptions: new Uint8Array(40) }),
    ],
    ['TCP over IPv6', 'tcp port 80', tcpFrame(six)],
    ['TCP behind extension headers', 'tcp port 80', tcpFrame({ ...six, extensions: [{ header: 0 }, { header: 60 }] })],
    ['TCP with Ethernet padding', 'tcp port 80', tcpFrame({ padding: 6 })],
    ['ICMP', 'icmp', icmpFrame({})],
    ['ICMPv6', 'icmp6', icmpFrame(six)],
    ['UDP', 'port 62201', udpFrame({})],
    ['the shortest payload', 'tcp port 80', tcpFrame({ payload: new Uint8Array(100) })],
    ['the longest payload', 'tcp port 80', tcpFrame({ payload: new Uint8Array(1500) })],
    ['a network', 'icmp and src net 192.0.2.0/24', icmpFrame({})],
    ['an IPv6 network', 'icmp6 and src net 2001:db8::/33', icmpFrame(six)],
  ]
  for (const [name, filter, frame] of accepted) it(`accepts ${name}`, () => assert.ok(accepts(filter, frame)))

  const refused: readonly [string, string, Uint8Array][] = [
    ['another port', 'tcp port 80', tcpFrame({ destinationPort: 81 })],
    ['the port as source', 'tcp port 80', tcpFrame({ sourcePort: 80, destinationPort: 5000 })],
    ['UDP for TCP', 'tcp', udpFrame({})],
    ['ICMP in IPv6', 'icmp', icmpFrame({ ...six, protocol: 1 })],
    ['a segment without data', 'tcp port 80', tcpFrame({ payload: new Uint8Array(0) })],
    ['a payload too long', 'tcp port 80', tcpFrame({ payload: new Uint8Array(1501) })],
    ['a fragment', 'tcp port 80', tcpFrame({ fragment: 0x2000 })],
    ['a header that is longer than the packet', 'tcp port 80', tcpFrame({ ipLength: 40, dataOffset: 15 })],
    ['an IP length of 0', 'tcp port 80', tcpFrame({ ipLength: 0 })],
    ['a network next to it', 'icmp6 and src net 2001:db8:8000::/33', icmpFrame(six)],
  ]
  for (const [name, filter, frame] of refused) it(`refuses ${name}`, () => assert.ok(!accepts(filter, frame)))

  it('leaves to the web server what is no request and no packet', () => {
    const program = carrierFilter(filterOf('tcp port 80'), { ...BOUNDS, onlySpa: true })
    const passesIt = (payload: Uint8Array, frame: UdpFrame = {}) =>
      interpret(program, tcpFrame({ ...frame, payload })) > 0
    assert.ok(passesIt(text('GET /', 300)))
    assert.ok(passesIt(text('get /', 300), six))
    assert.ok(!passesIt(text('POST /', 300)))
    assert.ok(!passesIt(text('GETTING', 300)))
    assert.ok(!passesIt(text('GET /', 139)))
    const bare = text('8', 225 - 10) // 14 blocks and a SHA-256 HMAC
    assert.deepEqual([...Array(64).keys()].map((more) => passesIt(text('8', bare.length + more))).includes(true), true)
    assert.ok(!passesIt(text('h', bare.length)))
  })

  it('ends in time for a filter of many terms', () => {
    const ports = Array.from({ length: 60 }, (_, i) => `port ${2000 + i}`).join(' or ')
    const program = carrierFilter(filterOf(`tcp and (${ports})`), { ...BOUNDS, onlySpa: true })
    assert.ok(program.length < 4096)
    assert.equal(interpret(program, tcpFrame({ destinationPort: 2059, payload: text('GET /', 300) })) > 0, true)
    assert.equal(interpret(program, tcpFrame({ destinationPort: 2060, payload: text('GET /', 300) })) > 0, false)
  })

  const term = fc.constantFrom(
    ...[
      'udp',
      'tcp',
      'icmp',
      'icmp6',
      'ip',
      'ip6',
      'port 80',
      'udp port 62201',
      'tcp src port 40000',
      'portrange 70-90',
    ],
    ...['host 192.0.2.7', 'dst host 192.0.2.7', 'src net 192.0.0.0/16', 'dst net 2001:db8::/64', 'net 2001:db8::7/127'],
  )
  const expression = fc.letrec<{ filter: string }>((tie) => ({
    filter: fc.oneof(
      { maxDepth: 4 },
      term,
      fc.tuple(fc.constantFrom('and', 'or'), tie('filter'), tie('filter')).map(([w, a, b]) => `(${a} ${w} ${b})`),
      tie('filter').map((filter) => `not (${filter})`),
    ),
  })).filter
  const frame = fc.record({
    kind: fc.constantFrom<keyof typeof makers>('udp', 'tcp', 'icmp'),
    addresses: fc.constantFrom(
      {},
      six,
      { source: '192.1.0.1' },
      { source: '2001:db8::6', destination: '2001:db8:1::1' },
    ),
    sourcePort: fc.constantFrom(40_000, 80),
    destinationPort: fc.constantFrom(80, 62_201, 71, 5),
    extra: fc.constantFrom<object>(
      {},
      { options: new Uint8Array(4) },
      { extensions: [{ header: 60 }] },
      { padding: 9 },
    ),
  })

  it('says the same as the filter’s meaning, for what the reader of frames reads', () => {
    fc.assert(
      fc.property(expression, frame, (filter, { kind, addresses, sourcePort, destinationPort, extra }) => {
        const meant = filterOf(filter)
        const bytes = makers[kind]({ ...addresses, sourcePort, destinationPort, ...extra })
        const packet = parseFrame(bytes, byCard, CARRIERS_OF)
        assert.ok(packet?.destination !== undefined)
        assert.equal(packet.doubt, undefined)
        const { source, destination, carrier = 'udp' } = packet
        const expected = passes(meant, {
          ...{
            carrier,
            family: familyOf(source),
            sourcePort: packet.sourcePort,
            destinationPort: packet.destinationPort,
          },
          isWithin: (side, network) => networkContains(network, side === 'source' ? source : destination),
        })
        assert.equal(interpret(carrierFilter(meant, BOUNDS), bytes) > 0, expected, filter)
      }),
      { numRuns: 3000 },
    )
  })

  it('reads nothing beyond the end of a damaged frame, and neither does the reader', () => {
    const program = carrierFilter(filterOf('udp or tcp or icmp or icmp6'), BOUNDS)
    fc.assert(
      fc.property(
        fc.constantFrom<keyof typeof makers>('udp', 'tcp', 'icmp'),
        fc.constantFrom({}, six),
        fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 4 }),
        fc.nat(300),
        (kind, addresses, damage, length) => {
          const bytes = makers[kind](addresses)
          for (const [at, value] of damage) bytes[at] = value
          const cut = bytes.subarray(0, length)
          const packet = parseFrame(cut, byCard, CARRIERS_OF)
          interpret(program, cut)
          const end = (packet?.payload.byteOffset ?? 0) + (packet?.payload.length ?? 0)
          if (packet !== undefined && packet.payload.length > 0) assert.ok(end <= cut.byteOffset + cut.length)
        },
      ),
      { numRuns: 5000 },
    )
  })
})

describe('a segment or an ICMP message', () => {
  const read = (frame: Uint8Array) => parseFrame(frame, byCard, CARRIERS_OF)
  const payload = text('x', 180)

  it('is understood', () => {
    const found = {
      ...{ via: 'packet-socket', payload, source: '192.0.2.7', destination: '198.51.100.1', interfaceIndex: 2 },
    }
    assert.deepEqual(read(tcpFrame({ payload, sourcePort: 4321, tcpOptions: new Uint8Array(12), padding: 5 })), {
      ...{ ...found, carrier: 'tcp', sourcePort: 4321, destinationPort: 80 },
    })
    assert.deepEqual(read(icmpFrame({ payload, options: new Uint8Array(4) })), {
      ...{ ...found, carrier: 'icmp', sourcePort: 0, destinationPort: 0 },
    })
    assert.equal(read(icmpFrame({ ...six, payload }))?.carrier, 'icmp6')
  })

  const doubted: readonly [string, Uint8Array][] = [
    ['a wrong TCP checksum', tcpFrame({ checksum: 1 })],
    ['a wrong ICMP checksum', icmpFrame({ checksum: 1 })],
    ['a wrong ICMPv6 checksum', icmpFrame({ ...six, checksum: 1 })],
    ['port 0', tcpFrame({ sourcePort: 0 })],
    ['a TCP header shorter than 20 bytes', tcpFrame({ dataOffset: 4 })],
    ['a TCP header longer than the packet', tcpFrame({ ipLength: 42, dataOffset: 15 })],
    ['an IP packet longer than what came', tcpFrame({ ipLength: 1000 })],
    ['an ICMP message longer than what came', icmpFrame({ ipLength: 1000 })],
    ['a source that is no host', tcpFrame({ source: '224.0.0.1' })],
  ]
  for (const [name, frame] of doubted)
    it(`is doubted: ${name}`, () => {
      assert.equal(read(frame)?.doubt?.code, 'SPA_UNBELIEVED')
    })

  it('is believed without a TCP checksum, as fwknop sends it raw', () => {
    assert.equal(read(tcpFrame({ checksum: 0 }))?.doubt, undefined)
  })

  it('is believed where a card will fill in the checksum', () => {
    const unchecked = { ...byCard, isChecksumUnchecked: false }
    assert.equal(parseFrame(tcpFrame({ checksum: 1 }), unchecked, CARRIERS_OF)?.doubt, undefined)
  })

  it('is left alone where only UDP is wanted', () => {
    assert.equal(parseFrame(tcpFrame({}), byCard), undefined)
    assert.equal(parseFrame(icmpFrame({}), byCard), undefined)
  })
})
