/** Numbers that are easily confused get a type of their own. Only the parsers and makers here cast. */
import { type Failure, ok, type Result, refuse } from './result.ts'

declare const brand: unique symbol
/** A `Base` that the compiler keeps apart from every other `Base`. No run-time cost. */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name }

/** A TCP or UDP port, 1–65535. */
export type Port = Brand<number, 'Port'>
/** First and last are included; the first is not above the last. */
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

/**
 * Reads a port as a user writes it: up to five decimal digits, leading zeros allowed (as in fwknop).
 * @param text `1` to `65535`.
 * @returns the port, or `PORT_INVALID`.
 * @example
 * ```ts
 * import { parsePort } from 'ghostport'
 *
 * const port = parsePort('22')
 * console.log(port.ok && port.value) // 22
 * const refused = parsePort('65536')
 * console.log(refused.ok || refused.failure.code) // PORT_INVALID
 * ```
 */
export function parsePort(text: string): Result<Port, Failure<'PORT_INVALID'>> {
  if (!/^[0-9]{1,5}$/.test(text)) return refuse('PORT_INVALID', `“${text}” is not a port number`)
  const value = Number(text)
  if (value < 1 || value > 65535) return refuse('PORT_INVALID', `port ${value} is not between 1 and 65535`)
  return ok(value as Port)
}

/**
 * For constants and numbers already known to be valid.
 * @param value a whole number from 1 to 65535.
 * @returns the same number, with a type that remembers what it is.
 * @throws RangeError for any other number.
 * @example
 * ```ts
 * import { port } from 'ghostport'
 *
 * console.log(port(22)) // 22
 * try {
 *   port(0)
 * } catch (error) {
 *   console.log(error instanceof RangeError) // true
 * }
 * ```
 */
export function port(value: number): Port {
  if (!Number.isInteger(value) || value < 1 || value > 65535) throw new RangeError(`not a port: ${value}`)
  return value as Port
}

/**
 * A span of whole seconds.
 * @param value a whole number of 0 or more.
 * @returns the same number, with a type that remembers what it is.
 * @throws RangeError for any other number.
 * @example
 * ```ts
 * import { seconds } from 'ghostport'
 *
 * console.log(seconds(30)) // 30
 * try {
 *   seconds(-1)
 * } catch (error) {
 *   console.log(error instanceof RangeError) // true
 * }
 * ```
 */
export function seconds(value: number): Seconds {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a span of seconds: ${value}`)
  return value as Seconds
}

/**
 * A span of milliseconds, possibly fractional.
 * @param value a finite number of 0 or more.
 * @returns the same number, with a type that remembers what it is.
 * @throws RangeError for any other number.
 * @example
 * ```ts
 * import { milliseconds } from 'ghostport'
 *
 * console.log(milliseconds(1.5)) // 1.5
 * try {
 *   milliseconds(Number.NaN)
 * } catch (error) {
 *   console.log(error instanceof RangeError) // true
 * }
 * ```
 */
export function milliseconds(value: number): Milliseconds {
  if (!Number.isFinite(value) || value < 0) throw new RangeError(`not a span of milliseconds: ${value}`)
  return value as Milliseconds
}

/**
 * A moment.
 * @param value whole seconds since 1970-01-01 UTC, 0 or more.
 * @returns the same number, with a type that remembers what it is.
 * @throws RangeError for any other number.
 * @example
 * ```ts
 * import { unixSeconds } from 'ghostport'
 *
 * console.log(unixSeconds(1795410748)) // 1795410748
 * try {
 *   unixSeconds(0.5)
 * } catch (error) {
 *   console.log(error instanceof RangeError) // true
 * }
 * ```
 */
export function unixSeconds(value: number): UnixSeconds {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a time in Unix seconds: ${value}`)
  return value as UnixSeconds
}
