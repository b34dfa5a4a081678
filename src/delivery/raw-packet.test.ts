import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { addressBytes, addressFromBytes, type IpAddress, parseAddress } from '../packet/address.ts'
import { port } from '../units.ts'
import { type RawHeader, type RawTransport, rawPacket } from './raw-packet.ts'

const address = (text: string): IpAddress => {
  const parsed = parseAddress(text)
  assert.ok(parsed.ok)
  return parsed.value
}
const between = {
  4: { source: address('192.0.2.1'), destination: address('198.51.100.2') },
  6: { source: address('2001:db8::1'), destination: address('2001:db8:1::2') },
} as const
const rest = { sourcePort: port(40_000), destinationPort: port(62_201), random: 0xdeadbeef }
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** The checksum of RFC 1071, word by word: another way than that of the program. */
function folded(bytes: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) {
    sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)
    sum = (sum & 0xffff) + (sum >> 16)
  }
  return sum
}
/** What RFC 9293 and RFC 8200 put before a segment for its checksum. */
function pseudoHeader(source: IpAddress, destination: IpAddress, protocol: number, length: number): Uint8Array {
  const end = [0, 0, length >> 8, length & 0xff, 0, 0, 0, protocol]
  return Uint8Array.from([...addressBytes(source), ...addressBytes(destination), ...end])
}
function judge(header: RawHeader, packet: Uint8Array): void {
  const family = header.source.includes(':') ? 6 : 4
  const headerLength = family === 4 ? 20 : 40
  const segment = packet.subarray(headerLength)
  const protocol = packet[family === 4 ? 9 : 6] ?? 0
  if (family === 4) assert.equal(folded(packet.subarray(0, 20)), 0xffff, 'the header of IPv4')
  const before =
    protocol === 1 ? new Uint8Array() : pseudoHeader(header.source, header.destination, protocol, segment.length)
  assert.equal(folded(Uint8Array.from([...before, ...segment])), 0xffff, 'UDP, TCP or ICMP')
}

describe('a packet from its IP header on', () => {
  // The same as a network analyser reads them.
  const known: readonly (readonly [RawTransport, 4 | 6, object, string])[] = [
    ['udpraw', 4, {}, '4500001fbeef0000401199dbc0000201c6336402' + '9c40f2f9000b' + '3f35' + '414243'],
    ['icmp', 4, { icmpType: 8 }, '4500001fbeef0000400199ebc0000201c6336402' + '0800' + 'b3cb' + 'beef0001' + '414243'],
  ]
  for (const [transport, family, more, expected] of known)
    it(`${transport} over IPv${family}`, () => {
      const header = { transport, ...between[family], ...rest, ...more }
      const packet = rawPacket(header, 'ABC')
      judge(header, packet)
      assert.equal(hex(packet).length, expected.length)
      // All but the checksums, which the judge computed in another way.
      const but = (text: string, ...places: number[]) =>
        places.reduce((it, at) => `${it.slice(0, 2 * at)}....${it.slice(2 * at + 4)}`, text)
      const checksums = transport === 'icmp' ? [10, 22] : [10, 26]
      assert.equal(but(hex(packet), ...checksums), but(expected, ...checksums))
    })
  it('a SYN with data in it', () => {
    const packet = rawPacket({ transport: 'tcpraw', ...between[4], ...rest }, 'ABC')
    assert.equal(hex(packet.subarray(20, 36)), `9c40f2f9deadbeef000000005002faf0`)
    assert.equal(Buffer.from(packet.subarray(40)).toString(), 'ABC')
  })
  it('an echo reply is the default, in the numbers of each family; other types have no identifier', () => {
    const icmp = (family: 4 | 6, more = {}) => {
      const packet = rawPacket({ transport: 'icmp', ...between[family], ...rest, ...more }, 'ABC')
      const message = packet.subarray(family === 4 ? 20 : 40)
      return hex(message.subarray(0, 2)) + hex(message.subarray(4, 8))
    }
    assert.equal(icmp(4), '0000beef0001')
    assert.equal(icmp(6), '8100beef0001')
    assert.equal(icmp(4, { icmpType: 13, icmpCode: 7 }), '0d0700000000')
  })
  it('every checksum is right, for any text, ports and addresses', () => {
    const ports = fc.integer({ min: 1, max: 65_535 }).map(port)
    const pair = fc
      .constantFrom(4, 16)
      .chain((length) => fc.tuple(...[0, 1].map(() => fc.uint8Array({ minLength: length, maxLength: length }))))
    fc.assert(
      fc.property(
        fc.record({
          transport: fc.constantFrom<RawTransport>('udpraw', 'tcpraw', 'icmp'),
          sourcePort: ports,
          destinationPort: ports,
        }),
        pair,
        fc.integer({ min: 0, max: 0xffffffff }),
        fc.string({ maxLength: 300 }),
        (about, [one = new Uint8Array(4), other = new Uint8Array(4)], random, text) => {
          const [source, destination] = [addressFromBytes(one), addressFromBytes(other)]
          fc.pre(source.includes(':') === destination.includes(':'))
          const header = { ...about, source, destination, random }
          judge(header, rawPacket(header, text))
        },
      ),
    )
  })
})
