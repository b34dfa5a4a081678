/** Numbers that are easily swapped get a type that remembers what they are. Only the parsers and makers here cast. */
import { type Failure, ok, type Result, refuse } from './result.ts'

declare const brand: unique symbol
/** `Base`, told apart by the compiler from every other use of `Base`. No run-time cost. */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name }

/** A TCP or UDP port, 1–65535. */
export type Port = Brand<number, 'Port'>
/** Both ends included; the first is not above the last. */
export interface PortRange {
  readonly first: Port
  readonly last: Port
}
/** A span of whole seconds, 0 or more. */
export type Seconds = Brand<number, 'Seconds'>
/** A span of milliseconds, 0 or more, possibly fractional. */
export type Milliseconds = Brand<number, 'Milliseconds'>
/** A moment: whole seconds since 1970-01-01 UTC, 0 or more. */
export type UnixSeconds = Brand<number, 'UnixSeconds'>

/** Reads a port as a user writes it: decimal digits only, leading zeros allowed up to five digits in all (as fwknop). */
export function parsePort(text: string): Result<Port, Failure<'PORT_INVALID'>> {
  if (!/^[0-9]{1,5}$/.test(text)) return refuse('PORT_INVALID', `“${text}” is not a port number`)
  const value = Number(text)
  if (value < 1 || value > 65535) return refuse('PORT_INVALID', `port ${value} is not between 1 and 65535`)
  return ok(value as Port)
}

/** For constants and numbers already known to be right. @throws RangeError outside 1–65535. */
export function port(value: number): Port {
  if (!Number.isInteger(value) || value < 1 || value > 65535) throw new RangeError(`not a port: ${value}`)
  return value as Port
}

/** @throws RangeError unless a whole number of 0 or more. */
export function seconds(value: number): Seconds {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a span of seconds: ${value}`)
  return value as Seconds
}

/** @throws RangeError unless finite and 0 or more. */
export function milliseconds(value: number): Milliseconds {
  if (!Number.isFinite(value) || value < 0) throw new RangeError(`not a span of milliseconds: ${value}`)
  return value as Milliseconds
}

/** @throws RangeError unless a whole number of 0 or more. */
export function unixSeconds(value: number): UnixSeconds {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a time in Unix seconds: ${value}`)
  return value as UnixSeconds
}
