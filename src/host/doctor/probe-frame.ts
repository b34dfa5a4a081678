/**
 * A packet of our own for the capture to see. It is addressed to an SPA port and has the length of an SPA packet, so
 * that the kernel's filter lets it pass, and its text says what it is. The receiver refuses it at the first blank,
 * before it tries a key. It claims to come from this host itself: the kernel answers nobody, and lets no such packet
 * further in.
 */
import { foldSum, internetSum } from '../../bytes/internet-checksum.ts'
import { encodeText } from '../../bytes/text.ts'
import { addressBytes, familyOf, type IpAddress } from '../../packet/address.ts'
import { SALTED_STARTS } from '../../packet/wire-limits.ts'
import type { Port } from '../../units.ts'

/** A length that an SPA packet may have: with its prefix, whole blocks in base64. */
const LENGTH = 182
const ETHERNET = 14
const UDP = 17
const UDP_HEADER = 8
const IP_HEADER = { 4: 20, 6: 40 } as const
const ETHERTYPE = { 4: 0x0800, 6: 0x86dd } as const
const HOP_LIMIT = 64
/** The discard service. */
const SOURCE_PORT = 9

/** What the receiver counts it as. */
export const PROBE_REFUSAL = 'SPA_MALFORMED'

/** The payload. */
export function probePayload(): Uint8Array {
  const start = String.fromCharCode(SALTED_STARTS[0] ?? 0)
  return encodeText(
    `${start} This is no knock. It is a test by “ghostport doctor”.`.replaceAll(/[“”]/g, '"').padEnd(LENGTH),
  )
}

/** @param hardware address of the interface. @param address of this host, on the interface. */
export function probeFrame(hardware: Uint8Array, address: IpAddress, port: Port): Uint8Array {
  const family = familyOf(address)
  const payload = probePayload()
  const head = IP_HEADER[family]
  const udpLength = UDP_HEADER + payload.length
  const frame = new Uint8Array(ETHERNET + head + udpLength)
  const view = new DataView(frame.buffer)
  const own = addressBytes(address)
  frame.set(hardware, 0)
  view.setUint16(12, ETHERTYPE[family])
  if (family === 4) {
    frame[ETHERNET] = 0x45
    view.setUint16(ETHERNET + 2, head + udpLength)
    frame[ETHERNET + 8] = HOP_LIMIT
    frame[ETHERNET + 9] = UDP
    frame.set(own, ETHERNET + 12)
    frame.set(own, ETHERNET + 16)
    view.setUint16(ETHERNET + 10, checksum(internetSum(frame, ETHERNET, ETHERNET + head)))
  } else {
    frame[ETHERNET] = 0x60
    view.setUint16(ETHERNET + 4, udpLength)
    frame[ETHERNET + 6] = UDP
    frame[ETHERNET + 7] = HOP_LIMIT
    frame.set(own, ETHERNET + 8)
    frame.set(own, ETHERNET + 24)
  }
  const udp = ETHERNET + head
  view.setUint16(udp, SOURCE_PORT)
  view.setUint16(udp + 2, port)
  view.setUint16(udp + 4, udpLength)
  frame.set(payload, udp + UDP_HEADER)
  const pseudo = 2 * internetSum(own) + UDP + udpLength
  view.setUint16(udp + 6, checksum(pseudo + internetSum(frame, udp)) || 0xffff)
  return frame
}

function checksum(sum: number): number {
  return ~foldSum(sum) & 0xffff
}
