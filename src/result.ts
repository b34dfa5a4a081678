/**
 * Refusals are values. A function that may refuse or fail to parse returns a {@link Result}. A thrown error means a
 * mistake in ghostport. `failure-codes.ts` lists the codes, which are public API.
 */
import type { FailureCode } from './failure-codes.ts'

/** A line in a file of the user's. `line` counts from 1. */
export interface SourceLocation {
  readonly file: string
  readonly line: number
}

/** Why something was refused: a stable `code` for programs, a `detail` for the operator's log. Never holds a secret. */
export interface Failure<Code extends FailureCode = FailureCode> {
  readonly code: Code
  readonly detail: string
  /** For failures in a user's file. */
  readonly at?: SourceLocation
  /** For failures with a likely correction: the word that the user probably meant, ready to be typed. */
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
