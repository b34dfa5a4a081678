/**
 * Messages of netlink(7): a header of 16 bytes, a fixed part that depends on the type, then attributes. Numbers have
 * the byte order of the host, which is little-endian here (`libc.ts`). Each family of netlink has a file of its own for
 * what the messages mean.
 */

export const AF_NETLINK = 16
// linux/netlink.h
export const NLM_F_REQUEST = 1
/** Asks for an answer even if all goes well. */
export const NLM_F_ACK = 4
export const NLM_F_DUMP = 0x300
export const NLM_F_CREATE = 0x400
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
/** One of these flags: the value consists of attributes. */
const NESTED = 0x8000

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

/** Enough for the messages of one grant. */
const FIRST_ROOM = 1024

/**
 * Writes messages one after the other, with attributes within attributes, into memory that grows. For messages of many
 * parts it costs less than {@link encodeMessage}.
 */
export class MessageWriter {
  #bytes = new Uint8Array(new ArrayBuffer(FIRST_ROOM))
  #view = new DataView(this.#bytes.buffer)
  #at = 0
  #message = 0

  /** Bytes written. */
  get length(): number {
    return this.#at
  }

  /** All messages. */
  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#at)
  }

  /** The head of a message. Its fixed part and its attributes follow, then {@link end}. */
  begin(type: number, flags: number, sequence: number): void {
    const at = this.#take(NLMSGHDR_LENGTH)
    this.#message = at
    this.#view.setUint16(at + 4, type, true)
    this.#view.setUint16(at + 6, flags, true)
    this.#view.setUint32(at + 8, sequence, true)
  }

  end(): void {
    this.#view.setUint32(this.#message, this.#at - this.#message, true)
  }

  /** Asks for an answer to the latest message, even if all goes well. */
  askForAnswer(): void {
    const at = this.#message + 6
    this.#view.setUint16(at, this.#view.getUint16(at, true) | NLM_F_ACK, true)
  }

  /** Begins an attribute that consists of attributes. @returns what {@link close} takes. */
  openNested(type: number): number {
    return this.open(type | NESTED)
  }

  /** Begins an attribute. @returns what {@link close} takes. */
  open(type: number): number {
    const at = this.#take(ATTRIBUTE_HEAD)
    this.#view.setUint16(at + 2, type, true)
    return at
  }

  /** Ends an attribute, which may hold 65 531 bytes. */
  close(start: number): void {
    this.#view.setUint16(start, this.#at - start, true)
    this.pad()
  }

  /** Zeros, up to a multiple of four bytes. */
  pad(): void {
    this.#take(align(this.#at) - this.#at)
  }

  uint8(value: number): void {
    const at = this.#take(1)
    this.#view.setUint8(at, value)
  }

  /** In network order, as netfilter has its numbers. */
  uint16(value: number): void {
    const at = this.#take(2)
    this.#view.setUint16(at, value)
  }

  /** In network order. @param value whole, at most 2^53 - 1. */
  uint64(value: number): void {
    const at = this.#take(8)
    this.#view.setUint32(at, value / 2 ** 32)
    this.#view.setUint32(at + 4, value)
  }

  /** In the order of the host. */
  hostUint32(value: number): void {
    const at = this.#take(4)
    this.#view.setUint32(at, value, true)
  }

  bytes(value: Uint8Array): void {
    const at = this.#take(value.length)
    this.#bytes.set(value, at)
  }

  /** A C string of one byte a character, with its zero. */
  cString(text: string): void {
    const at = this.#take(text.length + 1)
    // The texts are short: a Buffer for each would cost more.
    for (let i = 0; i < text.length; i++) this.#bytes[at + i] = text.charCodeAt(i)
  }

  /** An attribute that holds a {@link cString}. */
  string(type: number, text: string): void {
    const start = this.open(type)
    this.cString(text)
    this.close(start)
  }

  /** @returns where the next `length` bytes begin. They are zeros. */
  #take(length: number): number {
    const at = this.#at
    this.#at += length
    if (this.#at > this.#view.byteLength) {
      const larger = new Uint8Array(new ArrayBuffer(2 * this.#at))
      larger.set(this.#bytes.subarray(0, at))
      this.#bytes = larger
      this.#view = new DataView(larger.buffer)
    }
    return at
  }
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
