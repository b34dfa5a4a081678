/**
 * Readers that rebuild typed values from untrusted JSON. A wrong type, an extra field or a value out of bounds makes
 * the whole value invalid. A valid value is copied field by field, so that no unknown property is passed on.
 */
import { isUnicode } from './bytes/text.ts'

/** @returns undefined for a value that is not a `T`. */
export type Reader<T> = (value: unknown) => T | undefined
/** What a reader reads. */
export type Read<R> = R extends Reader<infer T> ? T : never
type Readers = Readonly<Record<string, Reader<unknown>>>

export type RecordOf<Required extends Readers, Optional extends Readers> = {
  readonly [K in keyof Required]: Read<Required[K]>
} & { readonly [K in keyof Optional]?: Read<Optional[K]> }

/** An object with all required fields, any optional ones, and no others. */
export function record<const Required extends Readers, const Optional extends Readers>(
  required: Required,
  optional: Optional,
): Reader<RecordOf<Required, Optional>> {
  const readers = new Map(Object.entries({ ...required, ...optional }))
  const names = Object.keys(required)
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    const made: Record<string, unknown> = {}
    for (const [name, field] of Object.entries(value)) {
      const read = readers.get(name)?.(field)
      if (read === undefined) return undefined
      made[name] = read
    }
    return names.every((name) => Object.hasOwn(made, name)) ? (made as RecordOf<Required, Optional>) : undefined
  }
}

/** A list of `min` to `max` items of one kind. */
export function list<T>(reader: Reader<T>, { min, max }: { min: number; max: number }): Reader<readonly T[]> {
  return (value) => {
    if (!Array.isArray(value) || value.length < min || value.length > max) return undefined
    const items = value.map(reader)
    return items.every((item) => item !== undefined) ? items : undefined
  }
}

/** Uses the first reader that accepts the value. */
export function either<const Choices extends readonly Reader<unknown>[]>(
  ...readers: Choices
): Reader<Read<Choices[number]>> {
  return (value) => {
    for (const reader of readers) {
      const read = reader(value)
      if (read !== undefined) return read as Read<Choices[number]>
    }
    return undefined
  }
}

export function literal<const T extends string>(expected: T): Reader<T> {
  return (value) => (value === expected ? expected : undefined)
}

/** A whole number within bounds. */
export function integer({ min, max }: { min: number; max: number }): Reader<number> {
  return (value) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max ? value : undefined
}

/** Text of at most `max` UTF-16 units. */
export function text({ max }: { max: number }): Reader<string> {
  return (value) => (typeof value === 'string' && value.length <= max ? value : undefined)
}

/** Text of at most `max` characters, all printable ASCII. */
export function printableAscii({ max }: { max: number }): Reader<string> {
  return mapped(text({ max }), (read) => (/^[\x20-\x7e]*$/.test(read) ? read : undefined))
}

/** Text that a packet field can hold: at most `max` UTF-16 units, valid as UTF-8, without NUL. */
export function packetText({ max }: { max: number }): Reader<string> {
  return mapped(text({ max }), (read) => (isUnicode(read) && !read.includes('\0') ? read : undefined))
}

/** Text that a parser accepts and would write in the same way. */
export function parsed<T extends string>(
  parse: (text: string) => { readonly ok: true; readonly value: T } | { readonly ok: false },
): Reader<T> {
  return (value) => {
    if (typeof value !== 'string') return undefined
    const result = parse(value)
    return result.ok && result.value === value ? result.value : undefined
  }
}

export function mapped<T, U>(reader: Reader<T>, map: (value: T) => U | undefined): Reader<U> {
  return (value) => {
    const read = reader(value)
    return read === undefined ? undefined : map(read)
  }
}
