/**
 * Messages of netlink(7): a header of 16 bytes, a fixed part that depends on the type, then attributes. Numbers have
 * the byte order of the host, which is little-endian here (`libc.ts`). Each family of netlink has a file of its own for
 * what the messages mean.
 */

export const AF_NETLINK = 16
// linux/netlink.h
export const NLM_F_REQUEST = 1
export const NLM_F_DUMP = 0x300
/** Something changed while the kernel was answering. */
export const NLM_F_DUMP_INTR = 0x10
export const NLMSG_ERROR = 2
export const NLMSG_DONE = 3
/** struct nlmsghdr: length, type, flags, sequence number, port id. */
export const NLMSGHDR_LENGTH = 16
/** Offset of its port id. */
export const PORT_ID_AT = 12
/** struct nlattr: length and type. */
export const ATTRIBUTE_HEAD = 4
/** The upper two bits of an attribute's type are flags. */
export const ATTRIBUTE_TYPE = 0x3fff

export interface NetlinkMessage {
  readonly type: number
  readonly flags: number
  readonly sequence: number
  /** Without the head. A view into the datagram. */
  readonly body: Uint8Array
}

/** Attributes and messages are padded to four bytes. */
export function align(length: number): number {
  return (length + 3) & ~3
}

/** @param fixed the part before the attributes. */
export function encodeMessage(
  { type, flags, sequence = 0 }: { readonly type: number; readonly flags: number; readonly sequence?: number },
  fixed: Uint8Array,
  attributes: readonly Uint8Array[],
): Uint8Array {
  const length = attributes.reduce((sum, attribute) => sum + attribute.length, NLMSGHDR_LENGTH + fixed.length)
  const bytes = new Uint8Array(new ArrayBuffer(length))
  const view = new DataView(bytes.buffer)
  view.setUint32(0, length, true)
  view.setUint16(4, type, true)
  view.setUint16(6, flags, true)
  view.setUint32(8, sequence, true)
  let at = NLMSGHDR_LENGTH
  for (const part of [fixed, ...attributes]) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** With its padding. */
export function encodeAttribute(type: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(align(ATTRIBUTE_HEAD + value.length))
  const view = new DataView(bytes.buffer)
  view.setUint16(0, ATTRIBUTE_HEAD + value.length, true)
  view.setUint16(2, type, true)
  bytes.set(value, ATTRIBUTE_HEAD)
  return bytes
}

/** @returns the messages up to the first with an invalid length; there, `undefined` comes last. */
export function* readMessages(datagram: Uint8Array): Generator<NetlinkMessage | undefined> {
  const view = viewOf(datagram)
  for (let at = 0; at + NLMSGHDR_LENGTH <= view.byteLength; ) {
    const length = view.getUint32(at, true)
    if (length < NLMSGHDR_LENGTH || at + length > view.byteLength) {
      yield undefined
      return
    }
    yield {
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      body: datagram.subarray(at + NLMSGHDR_LENGTH, at + length),
    }
    at += align(length)
  }
}

/** The errno of a message of type {@link NLMSG_ERROR}; 0 if it confirms. */
export function errnoOf({ body }: NetlinkMessage): number {
  return body.length < 4 ? 0 : -viewOf(body).getInt32(0, true)
}

/** @returns attribute type → value, up to the first with an invalid length. */
export function readAttributes(bytes: Uint8Array): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>()
  const view = viewOf(bytes)
  for (let at = 0; at + ATTRIBUTE_HEAD <= view.byteLength; ) {
    const length = view.getUint16(at, true)
    if (length < ATTRIBUTE_HEAD || at + length > view.byteLength) break
    found.set(view.getUint16(at + 2, true) & ATTRIBUTE_TYPE, bytes.subarray(at + ATTRIBUTE_HEAD, at + length))
    at += align(length)
  }
  return found
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
