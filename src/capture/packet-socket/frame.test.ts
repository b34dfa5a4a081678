import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { interpret } from '../../../test/support/bpf-interpreter.ts'
import { type UdpFrame, udpFrame } from '../../../test/support/udp-frame.ts'
import { port } from '../../units.ts'
import { LOOPBACK_INDEX } from '../disbelief.ts'
import { type Arrival, parseFrame } from './frame.ts'
import { spaFilter } from './spa-filter.ts'

/** By a network card that does not look at checksums. */
const byCard: Arrival = { interfaceIndex: 2, isChecksumUnchecked: true }
const byLoopback: Arrival = { interfaceIndex: LOOPBACK_INDEX, isChecksumUnchecked: false }

/** What would be opened. */
function believed(frame: Uint8Array, arrival = byCard) {
  const packet = parseFrame(frame, arrival)
  return packet?.doubt === undefined ? packet : undefined
}

function doubt(frame: UdpFrame, arrival = byCard) {
  return parseFrame(udpFrame(frame), arrival)?.doubt
}

const six = { source: '2001:db8::7', destination: '2001:db8::1' }

describe('a frame', () => {
  const understood: readonly [string, UdpFrame, string, string][] = [
    ['IPv4', {}, '192.0.2.7', '198.51.100.1'],
    ['IPv4 with options', { options: new Uint8Array(8) }, '192.0.2.7', '198.51.100.1'],
    ['IPv6', six, '2001:db8::7', '2001:db8::1'],
    [
      'IPv6 behind extension headers',
      { ...six, extensions: [{ header: 0 }, { header: 60, bodyLength: 14 }, { header: 43 }] },
      '2001:db8::7',
      '2001:db8::1',
    ],
    ['Ethernet padding', { padding: 18 }, '192.0.2.7', '198.51.100.1'],
  ]
  for (const [name, frame, source, destination] of understood)
    it(`is understood: ${name}`, () => {
      const payload = new TextEncoder().encode('x'.repeat(180))
      assert.deepEqual(parseFrame(udpFrame({ ...frame, payload, sourcePort: 4321, destinationPort: 53 }), byCard), {
        via: 'packet-socket',
        payload,
        source,
        sourcePort: 4321,
        destination,
        destinationPort: 53,
        interfaceIndex: 2,
      })
    })

  const refused: readonly [string, UdpFrame][] = [
    ['source port 0', { sourcePort: 0 }],
    ['destination port 0', { destinationPort: 0 }],
    ['UDP longer than the IP packet', { udpLength: 400 }],
    ['UDP longer than the IP packet, within the padding', { udpLength: 210, padding: 18 }],
    ['UDP shorter than its header', { udpLength: 7 }],
    ['UDP length 0, a jumbogram', { ...six, udpLength: 0 }],
    ['an IP packet longer than what came', { ipLength: 1000 }],
    ['an IPv6 packet longer than what came', { ...six, ipLength: 1000 }],
    ['an IP packet too short for UDP', { ipLength: 24 }],
    ['TCP', { protocol: 6 }],
    ['a first fragment', { fragment: 0x2000 }],
    ['a later fragment', { fragment: 1 }],
    ['an IPv6 fragment', { ...six, extensions: [{ header: 44 }] }],
    ['no next header', { ...six, protocol: 59 }],
    ['four extension headers', { ...six, extensions: Array.from({ length: 4 }, () => ({ header: 60 })) }],
    ['an extension header that reaches beyond the packet', { ...six, extensions: [{ header: 0 }], ipLength: 1 }],
  ]
  for (const [name, frame] of refused)
    it(`is left alone: ${name}`, () => assert.equal(believed(udpFrame(frame)), undefined))

  const doubted: readonly [string, UdpFrame, string?][] = [
    ['from 0.0.0.0', { source: '0.0.0.0' }],
    ['from 0.0.0.0/8', { source: '0.1.2.3' }],
    ['from multicast', { source: '224.0.0.1' }],
    ['from 240.0.0.0/4', { source: '240.0.0.1' }],
    ['from broadcast', { source: '255.255.255.255' }],
    ['from loopback', { source: '127.0.0.1' }],
    ['to loopback', { destination: '127.0.0.1' }],
    ['to 0.0.0.0', { destination: '0.0.0.0' }],
    ['to multicast', { destination: '224.0.0.1' }, 'SPA_NOT_FOR_US'],
    ['a time to live of 0', { hops: 0 }],
    ['a wrong checksum of the IP header', { headerChecksum: 0x1234 }],
    ['a wrong UDP checksum', { checksum: 0x1234 }],
    ['IPv6 from ::', { ...six, source: '::' }],
    ['IPv6 from multicast', { ...six, source: 'ff02::1' }],
    ['IPv6 from loopback', { ...six, source: '::1' }],
    ['IPv6 to loopback', { ...six, destination: '::1' }],
    ['IPv6 to ::', { ...six, destination: '::' }],
    ['IPv6 to multicast', { ...six, destination: 'ff02::1' }, 'SPA_NOT_FOR_US'],
    ['an IPv6 hop limit of 0', { ...six, hops: 0 }],
    ['a wrong UDP checksum over IPv6', { ...six, checksum: 0x1234 }],
    ['no UDP checksum over IPv6', { ...six, checksum: 0 }],
    ['UDP longer than the IP packet', { udpLength: 400 }],
    ['an IP packet longer than what came', { ipLength: 1000 }],
    ['source port 0', { sourcePort: 0 }],
  ]
  for (const [name, frame, code = 'SPA_UNBELIEVED'] of doubted)
    it(`is doubted: ${name}`, () => assert.equal(doubt(frame)?.code, code))

  for (const [which, at] of [
    ['from', 8],
    ['to', 24],
  ] as const)
    it(`is doubted: IPv6 ${which} an IPv4 address in IPv6 clothes`, () => {
      const frame = udpFrame({ ...six, checksum: 0 })
      const unchecked = { ...byCard, isChecksumUnchecked: false }
      assert.equal(parseFrame(frame, unchecked)?.doubt, undefined)
      frame.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 77], at)
      assert.match(parseFrame(frame, unchecked)?.doubt?.detail ?? '', /IPv4 address in an IPv6 header/)
    })

  const believable: readonly [string, UdpFrame, Arrival?][] = [
    ['no UDP checksum over IPv4', { checksum: 0 }],
    ['an odd number of bytes', { payload: new Uint8Array(201).fill(0x7a) }],
    ['an odd number of bytes over IPv6', { ...six, payload: new Uint8Array(201).fill(0x7a) }],
    ['a checksum of IPv4 options', { options: Uint8Array.of(1, 1, 1, 0) }],
    ['to broadcast', { destination: '255.255.255.255' }],
    [
      'a checksum that the sender left out, or a card has checked',
      { checksum: 0x1234 },
      { ...byCard, isChecksumUnchecked: false },
    ],
    ['loopback by lo', { source: '127.0.0.1', destination: '127.0.0.1' }, byLoopback],
    ['IPv6 loopback by lo', { source: '::1', destination: '::1' }, byLoopback],
  ]
  for (const [name, frame, arrival] of believable)
    it(`is believed: ${name}`, () => assert.notEqual(believed(udpFrame(frame), arrival), undefined))

  it('is doubted with one bit of it changed', () => {
    for (const frame of [udpFrame({}), udpFrame(six)])
      for (let bit = 0; bit < 8 * frame.length; bit++) {
        const changed = Uint8Array.from(frame)
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7))
        // Nothing covers the traffic class, the flow label and the hop limit of IPv6. The bit left out makes the limit
        // 0.
        const isUncovered = frame.length === 248 && ((bit >= 4 && bit < 32) || (bit >= 56 && bit < 64 && bit !== 57))
        assert.equal(believed(changed) !== undefined, isUncovered, `bit ${bit} of ${frame.length} bytes`)
      }
  })

  it('is cut to the UDP length, which may be less than what IP carries', () => {
    assert.equal(believed(udpFrame({ udpLength: 108 }))?.payload.length, 100)
  })

  it('is left alone when cut anywhere', () => {
    for (const frame of [udpFrame({}), udpFrame({ ...six, extensions: [{ header: 0 }] })])
      for (let length = 0; length < frame.length; length++)
        assert.equal(believed(frame.subarray(0, length)), undefined, `${length} bytes`)
  })

  it('never makes the parser throw', () => {
    const bytes = fc.uint8Array({ maxLength: 200 })
    const nearly = fc.tuple(fc.boolean(), bytes).map(([isFour, rest]) => {
      const frame = udpFrame(isFour ? {} : { ...six, extensions: [{ header: 0 }] })
      frame.set(rest.subarray(0, 60), 1)
      return frame
    })
    fc.assert(fc.property(fc.oneof(bytes, nearly), (frame) => void parseFrame(frame, byCard)))
  })

  it('is accepted by the kernel filter whenever the parser understands it and the port is right', () => {
    const filter = spaFilter({ ports: [port(62201)], minimumPayload: 0, maximumPayload: 300 })
    const extension = fc.record({
      header: fc.constantFrom(0, 43, 44, 60, 50),
      bodyLength: fc.constantFrom(6, 14, 22),
    })
    const frames = fc.record({
      isFour: fc.boolean(),
      extensions: fc.array(extension, { maxLength: 4 }),
      options: fc.constantFrom(0, 4, 40),
      protocol: fc.constantFrom(17, 17, 17, 6),
      fragment: fc.constantFrom(0, 0x4000, 0x2000, 1),
      udpLength: fc.constantFrom(undefined, 0, 7, 8, 100, 400),
      destinationPort: fc.constantFrom(62201, 62201, 62201, 53),
    })
    let understood = 0
    fc.assert(
      fc.property(frames, ({ isFour, options, udpLength, ...rest }) => {
        const frame = udpFrame({
          ...rest,
          ...(isFour ? { options: new Uint8Array(options) } : six),
          ...(udpLength === undefined ? {} : { udpLength }),
        })
        const packet = parseFrame(frame, byCard)
        const isWanted = packet !== undefined && packet.doubt === undefined && packet.destinationPort === 62201
        if (isWanted) understood++
        if (isWanted) assert.ok(interpret(filter, frame) > 0)
        if (packet === undefined && udpLength === undefined) assert.equal(interpret(filter, frame), 0)
      }),
      { numRuns: 500 },
    )
    assert.ok(understood > 20, `only ${understood} frames were understood`)
  })
})
