/** Capture files, right or wrong in many ways, for tests. */

export interface PcapOptions {
  readonly linkType?: number
  readonly little?: boolean
  readonly nanoseconds?: boolean
}

export function pcap(frames: readonly Uint8Array[], options: PcapOptions = {}): Uint8Array {
  const { linkType = 1, little = true, nanoseconds = false } = options
  const header = fields(24, (view) => {
    view.setUint32(0, nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4, little)
    view.setUint16(4, 2, little)
    view.setUint16(6, 4, little)
    view.setUint32(16, 65_535, little)
    view.setUint32(20, linkType, little)
  })
  const records = frames.flatMap((frame) => [
    fields(16, (view) => {
      view.setUint32(0, 1_800_000_000, little)
      view.setUint32(8, frame.length, little)
      view.setUint32(12, frame.length, little)
    }),
    frame,
  ])
  return joined([header, ...records])
}

export type PcapngBlock = 'enhanced' | 'simple' | 'old'

export function pcapng(
  frames: readonly Uint8Array[],
  { linkType = 1, little = true, kind = 'enhanced' as PcapngBlock } = {},
): Uint8Array {
  const section = block(0x0a0d0d0a, little, [
    fields(16, (view) => {
      view.setUint32(0, 0x1a2b3c4d, little)
      view.setUint16(4, 1, little)
      view.setBigInt64(8, -1n, little)
    }),
  ])
  const description = block(1, little, [
    fields(8, (view) => {
      view.setUint16(0, linkType, little)
    }),
  ])
  const name = block(4, little, [new Uint8Array(20)])
  const packets = frames.map((frame) =>
    kind === 'simple'
      ? block(3, little, [fields(4, (view) => view.setUint32(0, frame.length, little)), frame])
      : block(kind === 'enhanced' ? 6 : 2, little, [
          fields(20, (view) => {
            view.setUint32(12, frame.length, little)
            view.setUint32(16, frame.length, little)
          }),
          frame,
        ]),
  )
  return joined([section, description, name, ...packets])
}

function block(type: number, little: boolean, parts: readonly Uint8Array[]): Uint8Array {
  const body = joined(parts)
  const padding = (4 - (body.length % 4)) % 4
  const length = 12 + body.length + padding
  const ends = (at: number) => fields(at, (view) => view.setUint32(at - 4, length, little))
  const head = ends(8)
  new DataView(head.buffer).setUint32(0, type, little)
  return joined([head, body, new Uint8Array(padding), ends(4)])
}

const ETHERTYPE = (packet: Uint8Array): readonly number[] => ((packet[0] ?? 0) >> 4 === 6 ? [0x86, 0xdd] : [0x08, 0x00])
const ADDRESSES = new Array<number>(12).fill(2)

/** An IP packet as a frame of each link type: name → link type and frame. */
export function framesOf(packet: Uint8Array): Readonly<Record<string, readonly [linkType: number, frame: Uint8Array]>> {
  const type = ETHERTYPE(packet)
  const isSix = type[0] === 0x86
  const ppp = isSix ? [0, 0x57] : [0, 0x21]
  const pppoe = [0x11, 0, 0, 1, (packet.length + 2) >> 8, (packet.length + 2) & 0xff]
  const frame = (...head: readonly number[]) => joined([Uint8Array.from(head), packet])
  return {
    ethernet: [1, frame(...ADDRESSES, ...type)],
    'ethernet with a check sequence': [1, joined([frame(...ADDRESSES, ...type), new Uint8Array(4).fill(0xee)])],
    'a VLAN tag': [1, frame(...ADDRESSES, 0x81, 0, 0, 5, ...type)],
    'two VLAN tags': [1, frame(...ADDRESSES, 0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, ...type)],
    PPPoE: [1, frame(...ADDRESSES, 0x88, 0x64, ...pppoe, ...ppp)],
    'PPPoE in a VLAN': [1, frame(...ADDRESSES, 0x81, 0, 0, 5, 0x88, 0x64, ...pppoe, ...ppp)],
    'PPPoE alone': [51, frame(...pppoe, ...ppp)],
    PPP: [9, frame(0xff, 0x03, ...ppp)],
    '802.3 with SNAP': [1, frame(...ADDRESSES, 1, 0, 0xaa, 0xaa, 3, 0, 0, 0, ...type)],
    null: [0, frame(2, 0, 0, 0)],
    loop: [108, frame(0, 0, 0, 2)],
    raw: [101, packet],
    'raw of OpenBSD': [14, packet],
    'raw by version': [isSix ? 229 : 228, packet],
    cooked: [113, frame(0, 0, 0, 1, 0, 6, ...ADDRESSES.slice(0, 8), ...type)],
    'cooked, version 2': [276, frame(...type, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, ...ADDRESSES.slice(0, 8))],
  }
}

function fields(length: number, set: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(length)
  set(new DataView(bytes.buffer))
  return bytes
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}
