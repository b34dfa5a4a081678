/**
 * From a frame of a capture file to the IP packet in it: Ethernet with VLAN tags and PPPoE, Linux “cooked” (SLL, SLL2),
 * null, loop, raw IP, and PPP. The numbers are those of the file's link types (tcpdump.org/linktypes.html).
 *
 * What follows the IP packet (padding, a frame check sequence) stays: the IP header says where the packet ends.
 */

type Reader = (frame: Uint8Array) => Uint8Array | undefined

const ETHERNET = 1
/** Ethertypes. */
const IPV4 = 0x0800
const IPV6 = 0x86dd
const PPPOE_SESSION = 0x8864
const VLAN_TAGS: readonly number[] = [0x8100, 0x88a8, 0x9100]
/** Tags on one frame. */
const MOST_TAGS = 4
/** Up to here the field is a length: IEEE 802.3. */
const LONGEST_802_3 = 1500
/** LLC and SNAP before an ethertype. */
const SNAP = [0xaa, 0xaa, 0x03, 0, 0, 0]

/** @param type and where what it names begins. @param tags VLAN tags before it. */
function byEthertype(frame: Uint8Array, type: number, at: number, tags = 0): Uint8Array | undefined {
  if (type === IPV4 || type === IPV6) return ip(frame, at)
  if (VLAN_TAGS.includes(type) && tags < MOST_TAGS) return byEthertype(frame, uint16(frame, at + 2), at + 4, tags + 1)
  if (type === PPPOE_SESSION) return pppoe(frame, at)
  if (type <= LONGEST_802_3 && SNAP.every((byte, i) => frame[at + i] === byte))
    return byEthertype(frame, uint16(frame, at + SNAP.length), at + SNAP.length + 2, MOST_TAGS)
  return undefined
}

/** A PPPoE session header has 6 bytes; then follows PPP without its first two. */
function pppoe(frame: Uint8Array, at: number): Uint8Array | undefined {
  return ppp(frame, at + 6)
}

/** The protocol field: 0x0021 IPv4, 0x0057 IPv6. */
function ppp(frame: Uint8Array, at: number): Uint8Array | undefined {
  const start = frame[at] === 0xff && frame[at + 1] === 0x03 ? at + 2 : at
  const protocol = uint16(frame, start)
  return protocol === 0x0021 || protocol === 0x0057 ? ip(frame, start + 2) : undefined
}

/** What begins with a version of IP. */
function ip(frame: Uint8Array, at: number): Uint8Array | undefined {
  const version = (frame[at] ?? 0) >> 4
  return version === 4 || version === 6 ? frame.subarray(at) : undefined
}

const raw: Reader = (frame) => ip(frame, 0)
/** Four bytes of an address family, which differ by system. The version of IP says the same. */
const afterFamily: Reader = (frame) => ip(frame, 4)

const readers: ReadonlyMap<number, Reader> = new Map<number, Reader>([
  [0, afterFamily], // null
  [ETHERNET, (frame) => byEthertype(frame, uint16(frame, 12), 14)],
  [9, (frame) => ppp(frame, 0)],
  [12, raw],
  [14, raw],
  [50, (frame) => ppp(frame, 0)],
  [51, (frame) => pppoe(frame, 0)],
  [101, raw],
  [108, afterFamily], // loop
  [113, (frame) => byEthertype(frame, uint16(frame, 14), 16)], // SLL
  [228, raw],
  [229, raw],
  [276, (frame) => byEthertype(frame, uint16(frame, 0), 20)], // SLL2
])

/** Whether frames of this link type can be read. */
export function isLinkTypeKnown(linkType: number): boolean {
  return readers.has(linkType)
}

/** @returns the IP packet and what follows it; undefined if there is none in the frame. */
export function ipPacketIn(linkType: number, frame: Uint8Array): Uint8Array | undefined {
  return readers.get(linkType)?.(frame)
}

function uint16(frame: Uint8Array, at: number): number {
  return ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0)
}
