import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { interpret } from '../../test/support/bpf-interpreter.ts'
import { type UdpFrame, udpFrame } from '../../test/support/udp-frame.ts'
import { port } from '../units.ts'
import { spaFilter } from './bpf.ts'
import { parseFrame } from './frame.ts'

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
      assert.deepEqual(parseFrame(udpFrame({ ...frame, payload, sourcePort: 4321, destinationPort: 53 })), {
        payload,
        source,
        sourcePort: 4321,
        destination,
        destinationPort: 53,
      })
    })

  for (const [which, at] of [
    ['from', 8],
    ['to', 24],
  ] as const)
    it(`is left alone: IPv6 ${which} an IPv4 address in IPv6 clothes`, () => {
      const frame = udpFrame(six)
      assert.notEqual(parseFrame(frame), undefined)
      frame.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 77], at)
      assert.equal(parseFrame(frame), undefined)
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
    it(`is left alone: ${name}`, () => assert.equal(parseFrame(udpFrame(frame)), undefined))

  it('is cut to the UDP length, which may be less than what IP carries', () => {
    assert.equal(parseFrame(udpFrame({ udpLength: 108 }))?.payload.length, 100)
  })

  it('is left alone when cut anywhere', () => {
    for (const frame of [udpFrame({}), udpFrame({ ...six, extensions: [{ header: 0 }] })])
      for (let length = 0; length < frame.length; length++)
        assert.equal(parseFrame(frame.subarray(0, length)), undefined, `${length} bytes`)
  })

  it('never makes the parser throw', () => {
    const bytes = fc.uint8Array({ maxLength: 200 })
    const nearly = fc.tuple(fc.boolean(), bytes).map(([isFour, rest]) => {
      const frame = udpFrame(isFour ? {} : { ...six, extensions: [{ header: 0 }] })
      frame.set(rest.subarray(0, 60), 1)
      return frame
    })
    fc.assert(fc.property(fc.oneof(bytes, nearly), (frame) => void parseFrame(frame)))
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
        const packet = parseFrame(frame)
        const isWanted = packet !== undefined && packet.destinationPort === 62201
        if (isWanted) understood++
        if (isWanted) assert.ok(interpret(filter, frame) > 0)
        if (packet === undefined && udpLength === undefined) assert.equal(interpret(filter, frame), 0)
      }),
      { numRuns: 500 },
    )
    assert.ok(understood > 20, `only ${understood} frames were understood`)
  })
})
