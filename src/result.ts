/**
 * Refusals are values. A function that can fail to understand or be told no returns a {@link Result}; a thrown error
 * means a mistake of our own. Codes are listed in `failure-codes.ts` and are public API.
 */
import type { FailureCode } from './failure-codes.ts'

/** Where in a file of the user's something was said. `line` counts from 1. */
export interface SourceLocation {
  readonly file: string
  readonly line: number
}

/** Why something was refused: a stable `code` for machines, a `detail` for the operator's log. Never holds a secret. */
export interface Failure<Code extends FailureCode = FailureCode> {
  readonly code: Code
  readonly detail: string
  /** For failures in a file of the user's. */
  readonly at?: SourceLocation
  /** For failures that may have a nearest right word: what the user probably meant, ready to be typed. */
  readonly suggestion?: string
}

/** It worked. */
export type Ok<T> = { readonly ok: true; readonly value: T }
/** It did not, for a reason. */
export type Refused<F extends Failure = Failure> = { readonly ok: false; readonly failure: F }
/** What a function returns that can refuse: look at `ok` first. */
export type Result<T, F extends Failure = Failure> = Ok<T> | Refused<F>

export function ok<T>(value: T): Ok<T> {
  return { ok: true, value }
}

export function refuse<Code extends FailureCode>(
  code: Code,
  detail: string,
  more: { readonly at?: SourceLocation; readonly suggestion?: string } = {},
): Refused<Failure<Code>> {
  return { ok: false, failure: { code, detail, ...more } }
}
