/**
 * What a bug report may hold: numbers, yes or no, words of a fixed list, and versions. No field takes a text as it is.
 * So nothing gets in that nobody thought of: no key, no address, no name, no path, no line of a log.
 */
import type { Known } from '../known.ts'

/** Made only by the functions here. */
declare const safe: unique symbol
export type Field = (string | number | boolean | null) & { readonly [safe]: true }
export type Fields = { readonly [name: string]: Field | Fields | readonly Field[] }

const UNKNOWN = 'not known' as unknown as Field
const OTHER = 'other' as unknown as Field

export function count(value: number): Field {
  return (Number.isFinite(value) ? value : 0) as unknown as Field
}

export function yes(value: boolean): Field {
  return value as unknown as Field
}

/** @returns the word if it is one of the list; else `other`. */
export function oneOf(value: string | undefined, words: readonly string[]): Field {
  const found = words.find((word) => word === value)
  return found === undefined ? OTHER : (found as unknown as Field)
}

/** The numbers that a version begins with, and no name behind them: `6.12.57`. */
export function version(value: string | undefined): Field {
  const [numbers] = /^\d{1,9}(?:\.\d{1,9}){0,3}/.exec(value ?? '') ?? []
  return numbers === undefined ? OTHER : (numbers as unknown as Field)
}

/** A fact, if it is known. Why it is not may hold a path, so that is left out. */
export function fact<T>(value: Known<T>, make: (value: T) => Field): Field {
  return value.known ? make(value.value) : UNKNOWN
}

/** An address that the user has asked for. */
export function askedFor(address: string): Field {
  return address as unknown as Field
}
