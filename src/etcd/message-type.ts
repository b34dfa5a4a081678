/**
 * Messages of protobuf as plain values, like those that etcd itself shows as JSON: bytes are base64, 64 bits are
 * decimal text, one of an enumeration is its name. What is zero, empty or false is left out.
 *
 * The bytes are read and written by `@bufbuild/protobuf`.
 */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { decodeBase64Padded, encodeBase64Padded } from '../system/base64.ts'

type Scalar = 'bytes' | 'string' | 'int64' | 'uint64' | 'bool'

/** The names, by their number from 0. */
export interface Enumeration {
  readonly names: readonly string[]
}

type One = Scalar | Enumeration | MessageType
/** Its number and what it holds; in brackets where it may come several times. */
type Field = readonly [number: number, kind: One | readonly [One]]

export interface MessageType {
  readonly fields: Readonly<Record<string, Field>>
  readonly byNumber: ReadonlyMap<number, readonly [name: string, field: Field]>
}

export interface Method {
  readonly request: MessageType
  readonly response: MessageType
}

/** A message as a value. */
export type Fields = { readonly [name: string]: unknown }

export function enumeration(...names: readonly string[]): Enumeration {
  return { names }
}

export function message(fields: Readonly<Record<string, Field>>): MessageType {
  return { fields, byNumber: new Map(Object.entries(fields).map(([name, field]) => [field[0], [name, field]])) }
}

/** @throws TypeError if the value is none of this type: a mistake in ghostport. */
export function encodeMessage(type: MessageType, value: Fields): Uint8Array {
  return written(type, value).finish()
}

function written(type: MessageType, value: Fields, to = new BinaryWriter()): BinaryWriter {
  for (const [name, content] of Object.entries(value)) {
    const field = Object.hasOwn(type.fields, name) ? type.fields[name] : undefined
    if (field === undefined) throw new TypeError(`etcd has no field ${name} here`)
    if (content === undefined) continue
    const [number, kind] = field
    if (isRepeated(kind)) for (const each of content as readonly unknown[]) write(to, number, kind[0], each)
    else write(to, number, kind, content)
  }
  return to
}

function write(to: BinaryWriter, number: number, kind: One, value: unknown): void {
  if (kind === 'bytes') {
    const bytes = decodeBase64Padded(String(value))
    if (bytes === undefined) throw new TypeError('not base64')
    to.tag(number, WireType.LengthDelimited).bytes(bytes)
  } else if (kind === 'string') to.tag(number, WireType.LengthDelimited).string(String(value))
  else if (kind === 'int64') to.tag(number, WireType.Varint).int64(String(value))
  else if (kind === 'uint64') to.tag(number, WireType.Varint).uint64(String(value))
  else if (kind === 'bool') to.tag(number, WireType.Varint).bool(value === true)
  else if ('names' in kind) {
    const index = kind.names.indexOf(String(value))
    if (index < 0) throw new TypeError(`not one of ${kind.names.join(', ')}: ${String(value)}`)
    to.tag(number, WireType.Varint).int32(index)
  } else {
    to.tag(number, WireType.LengthDelimited).fork()
    written(kind, value as Fields, to).join()
  }
}

/** @returns undefined for what is no message of this type. */
export function decodeMessage(type: MessageType, bytes: Uint8Array): Fields | undefined {
  try {
    return read(type, new BinaryReader(bytes), bytes.length)
  } catch {
    return undefined
  }
}

/** @throws Error for what is none: of BinaryReader. */
function read(type: MessageType, from: BinaryReader, length: number): Fields {
  const end = from.pos + length
  if (end > from.len) throw new RangeError('a message that is cut off')
  const found: Record<string, unknown> = {}
  while (from.pos < end) {
    const [number, wire] = from.tag()
    const known = type.byNumber.get(number)
    if (known === undefined) {
      from.skip(wire, number)
      continue
    }
    const [name, [, kind]] = known
    const one = isRepeated(kind) ? kind[0] : kind
    if (wire !== wireOf(one)) throw new RangeError(`field ${name} is of another kind`)
    const value = readOne(one, from)
    if (isRepeated(kind)) {
      const list = found[name] as unknown[] | undefined
      if (list === undefined) found[name] = [value]
      else list.push(value)
    } else if (isDefault(value)) delete found[name]
    else found[name] = value
  }
  if (from.pos !== end) throw new RangeError('a field that is longer than its message')
  return found
}

function readOne(kind: One, from: BinaryReader): unknown {
  switch (kind) {
    case 'bytes':
      return encodeBase64Padded(from.bytes())
    case 'string':
      return from.string(true)
    case 'int64':
      return String(from.int64())
    case 'uint64':
      return String(from.uint64())
    case 'bool':
      return from.bool()
    default: {
      if (!('names' in kind)) return read(kind, from, from.uint32())
      const number = from.int32()
      // A newer etcd may have more of them.
      return number === 0 ? 0 : (kind.names[number] ?? number)
    }
  }
}

function wireOf(kind: One): WireType {
  if (kind === 'bytes' || kind === 'string') return WireType.LengthDelimited
  return typeof kind === 'object' && 'fields' in kind ? WireType.LengthDelimited : WireType.Varint
}

function isRepeated(kind: One | readonly [One]): kind is readonly [One] {
  return Array.isArray(kind)
}

function isDefault(value: unknown): boolean {
  return value === '' || value === '0' || value === 0 || value === false
}
