import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { interpret } from '../../../test/support/bpf-interpreter.ts'
import { type UdpFrame, udpFrame } from '../../../test/support/udp-frame.ts'
import { encodeProgram } from '../../system/bpf.ts'
import { type Port, port } from '../../units.ts'
import { spaFilter } from './spa-filter.ts'

const filter = spaFilter({ ports: [port(62201), port(53)], minimumPayload: 100, maximumPayload: 1500 })
const payload = (length: number): Uint8Array => new Uint8Array(length)
const hopByHop = { header: 0 }
const routing = { header: 43, bodyLength: 22 }
const destinationOptions = { header: 60, bodyLength: 14 }

describe('the kernel filter', () => {
  const accepted: readonly [string, UdpFrame][] = [
    ['IPv4 to the SPA port', {}],
    ['another SPA port, a privileged one', { destinationPort: 53 }],
    ['IPv4 with options', { options: payload(40) }],
    ['IPv6', { source: '2001:db8::7', destination: '2001:db8::1' }],
    ['IPv6 behind a hop-by-hop header', { source: '2001:db8::7', destination: '2001:db8::1', extensions: [hopByHop] }],
    [
      'IPv6 behind three extension headers',
      { source: '2001:db8::7', destination: '2001:db8::1', extensions: [hopByHop, destinationOptions, routing] },
    ],
    ['the shortest payload', { payload: payload(100) }],
    ['the longest payload', { payload: payload(1500) }],
    ['Ethernet padding', { padding: 6 }],
  ]
  for (const [name, frame] of accepted)
    it(`accepts ${name}, whole`, () => assert.equal(interpret(filter, udpFrame(frame)), 0x40000))

  const refused: readonly [string, UdpFrame][] = [
    ['another port', { destinationPort: 62202 }],
    ['the SPA port as source', { sourcePort: 62201, destinationPort: 80 }],
    ['TCP', { protocol: 6 }],
    ['a first fragment', { fragment: 0x2000 }],
    ['a later fragment', { fragment: 0x0010 }],
    ['a payload too short', { payload: payload(99) }],
    ['a payload too long', { payload: payload(1501) }],
    ['a UDP length shorter than its header', { udpLength: 7 }],
    ['IPv6 TCP', { source: '2001:db8::7', destination: '2001:db8::1', protocol: 6 }],
    ['an IPv6 fragment', { source: '2001:db8::7', destination: '2001:db8::1', extensions: [{ header: 44 }] }],
    ['IPv6 ESP', { source: '2001:db8::7', destination: '2001:db8::1', protocol: 50 }],
    [
      'IPv6 behind four extension headers',
      { source: '2001:db8::7', destination: '2001:db8::1', extensions: [hopByHop, routing, hopByHop, hopByHop] },
    ],
  ]
  for (const [name, frame] of refused) it(`refuses ${name}`, () => assert.equal(interpret(filter, udpFrame(frame)), 0))

  it('refuses other IP versions and the empty packet', () => {
    const frame = udpFrame({})
    frame[0] = 0x55
    assert.equal(interpret(filter, frame), 0)
    assert.equal(interpret(filter, new Uint8Array(0)), 0)
  })

  it('refuses what is for another host, our own, or looped back', () => {
    const verdicts = [0, 1, 2, 3, 4, 5, 6].map((type) => interpret(filter, udpFrame({}), type) > 0)
    assert.deepEqual(verdicts, [true, true, true, false, false, false, false])
  })

  it('cuts nowhere into undefined behaviour: every prefix is refused or accepted by its header', () => {
    const frame = udpFrame({ source: '2001:db8::7', destination: '2001:db8::1', extensions: [hopByHop] })
    const headers = 40 + 8 + 6
    for (let length = 0; length <= frame.length; length++)
      assert.equal(interpret(filter, frame.subarray(0, length)) > 0, length >= headers, `${length} bytes`)
  })

  it('takes ranges, both ends included', () => {
    const ranges = spaFilter({ ports: [{ first: port(10000), last: port(65535) }, port(53)] })
    const accepts = (destinationPort: number): boolean => interpret(ranges, udpFrame({ destinationPort })) > 0
    assert.deepEqual([9999, 10000, 30000, 65535, 53, 54].map(accepts), [false, true, true, true, true, false])
  })

  it('takes a thousand ports apart from each other, in few instructions', () => {
    const ports = Array.from({ length: 1024 }, (_, i) => port(2000 + 3 * i))
    const long = spaFilter({ ports })
    const wanted = new Set<number>(ports)
    for (let at = 1990; at < 5100; at++)
      assert.equal(interpret(long, udpFrame({ destinationPort: at })) > 0, wanted.has(at), `port ${at}`)
    assert.ok(long.length < 1500, `${long.length} instructions`)
  })

  it('takes ports that follow each other for one range', () => {
    const many = spaFilter({ ports: Array.from({ length: 10_000 }, (_, i) => port(20_000 + i)) })
    assert.equal(many.length, spaFilter({ ports: [{ first: port(20_000), last: port(29_999) }] }).length)
  })

  it('says so when they are too many', () => {
    const ports = (count: number): Port[] => Array.from({ length: count }, (_, i) => port(2 * i + 1))
    assert.throws(() => spaFilter({ ports: ports(4000) }), RangeError)
  })

  it('takes exactly the ports that it should, for any ranges', () => {
    const number = fc.integer({ min: 1, max: 65_535 })
    const range = fc.tuple(number, fc.nat(40)).map(([first, more]) => ({
      first: port(first),
      last: port(Math.min(65_535, first + more)),
    }))
    fc.assert(
      fc.property(
        fc.array(range, { minLength: 1, maxLength: 400 }),
        fc.array(number, { maxLength: 5 }),
        (ranges, others) => {
          const program = spaFilter({ ports: ranges })
          const edges = ranges.slice(0, 20).flatMap(({ first, last }) => [first - 1, first, last, last + 1])
          for (const at of [...edges, ...others].filter((at) => at > 0 && at < 65_536))
            assert.equal(
              interpret(program, udpFrame({ destinationPort: at })) > 0,
              ranges.some(({ first, last }) => first <= at && at <= last),
              `port ${at}`,
            )
        },
      ),
      { numRuns: 60 },
    )
  })

  it('is laid out as struct sock_filter', () => {
    const bytes = encodeProgram([{ code: 0x15, jt: 1, jf: 2, k: 0x01020304 }])
    assert.deepEqual([...bytes], [0x15, 0, 1, 2, 4, 3, 2, 1])
  })
})

describe('the kernel filter that lets through what may be an SPA packet', () => {
  const spa = spaFilter({ ports: [port(62201)], onlySpa: true })
  const accepts = (text: string): boolean =>
    interpret(spa, udpFrame({ payload: Uint8Array.from(text, (letter) => letter.charCodeAt(0)) })) > 0
  /** Characters of `count` blocks of ciphertext on the wire, where the constant head is left off. */
  const ciphertext = (count: number): number => Math.ceil((64 * count) / 3) - 10
  const padded = (count: number): number => 4 * Math.ceil((16 * count) / 3) - 10

  it('takes the lengths that whole blocks and an HMAC have, or whole blocks and “=”, and about a sixth of all', () => {
    const possible = new Set<number>()
    for (let blocks = 2; blocks < 100; blocks++) {
      for (const tag of [0, 22, 27, 43, 64, 86]) possible.add(ciphertext(blocks) + tag)
      possible.add(padded(blocks))
    }
    let taken = 0
    for (let length = 1; length < 400; length++) {
      const isTaken = accepts('8'.padEnd(length, 'A'))
      if (isTaken) taken++
      if (length < 140) assert.ok(!isTaken, `${length} characters`)
      else assert.equal(isTaken, possible.has(length), `${length} characters`)
    }
    assert.ok(taken < 80, `${taken} of 260`)
  })

  it('takes the four first characters that there are', () => {
    const length = ciphertext(14) + 43
    const first = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).filter((letter) =>
      accepts(letter.padEnd(length, 'A')),
    )
    // Any length will do for what may be an HTTP request.
    assert.deepEqual(first, ['+', '/', '8', '9', 'G', 'g'])
    assert.ok(accepts('GET /'.padEnd(length + 5, 'A')))
  })

  it('takes what is as long as GnuPG’s packets, whatever it begins with', () => {
    assert.ok(accepts('h'.padEnd(400, 'A')))
    assert.ok(accepts('h'.padEnd(1499, 'A')))
    assert.ok(!accepts('h'.padEnd(399, 'A')))
  })
})
