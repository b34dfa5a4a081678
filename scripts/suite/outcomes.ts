/**
 * Counts what node:test reports, so that the closing line is true. Each leaf test counts once. A file that crashed, ran
 * out of time or ran no test is a failure. A suite counts only if it failed by itself (a hook), or was left out as a
 * whole: then its tests are not even reported.
 */
import { inspect } from 'node:util'

/** One test or suite as node:test reports it: children before their parent, the file itself last. */
export interface TestResult {
  readonly name: string
  /** 0 at the top of the file. */
  readonly nesting: number
  /** Why it was left out, if it was. */
  readonly skip?: string | boolean
  readonly details: { readonly duration_ms: number; readonly type?: 'suite' | 'test'; readonly error?: TestFailure }
}

/** node:test's wrapper of the thrown error. The last two are present for a file: how its process ended. */
type TestFailure = Error & { failureType?: string; exitCode?: number | null; signal?: string | null }

export interface Outcome {
  readonly verdict: 'passed' | 'failed' | 'skipped'
  readonly file: string
  readonly name: string
  /** Of a failure, or of a test that was left out; may be empty. */
  readonly reason: string
}

export function outcomesOf(file: string, results: readonly TestResult[]): readonly Outcome[] {
  const outcomes: Outcome[] = []
  /** The nesting levels with reports whose parent has no report yet. */
  const pending = new Set<number>()
  for (const { name, nesting, skip = false, details } of results) {
    const { type, error, duration_ms } = details
    const isFile = name === file && nesting === 0
    const isParent = pending.delete(nesting + 1) || isFile
    pending.add(nesting)
    const add = (verdict: Outcome['verdict'], reason: string) => outcomes.push({ verdict, file, name, reason })
    if (isParent && (error === undefined || error.failureType === 'subtestsFailed')) continue
    if (error !== undefined) add('failed', isFile ? howItEnded(error, duration_ms) : textOf(error.cause ?? error))
    else if (skip !== false) add('skipped', skip === true ? '' : skip)
    else if (type !== 'suite') add('passed', '')
  }
  return outcomes.length > 0 ? outcomes : [failure(file, 'the file ran no test')]
}

/** Outcomes that no test reported: of a file without tests, or of the linter. */
export function failure(file: string, reason: string): Outcome {
  return { verdict: 'failed', file, name: file, reason }
}

export function ofVerdict(outcomes: readonly Outcome[], verdict: Outcome['verdict']): readonly Outcome[] {
  return outcomes.filter((outcome) => outcome.verdict === verdict)
}

export function closingLine(outcomes: readonly Outcome[]): string {
  const count = (verdict: Outcome['verdict']) => ofVerdict(outcomes, verdict).length
  const skipped = count('skipped') > 0 ? `, ${count('skipped')} skipped` : ''
  return `${count('passed')} passed, ${count('failed')} failed${skipped}`
}

function howItEnded({ failureType, signal, exitCode }: TestFailure, milliseconds: number): string {
  if (failureType === 'testAborted') return `not done after ${Math.round(milliseconds / 1000)} s`
  return `the process ended with ${signal ?? `status ${exitCode}`}`
}

function textOf(thrown: unknown): string {
  return typeof thrown === 'string' ? thrown : inspect(thrown, { depth: 8 })
}
