/**
 * A check is one question about this host, and a judgement of the facts that answers it: good, bad, or not checked,
 * with the reason. What cannot be looked at must never pass for good.
 */
import type { Known } from '../known.ts'
import type { DoctorFactName, DoctorFacts } from './doctor-facts.ts'
import type { MendingCommand } from './safe-cures.ts'

export const severities = ['error', 'warning', 'hint'] as const
/**
 * `error`: it does not work, or lets in what should be kept out. `warning`: it works, and will not for ever, or not as
 * expected. `hint`: good to know.
 */
export type Severity = (typeof severities)[number]

/** What mends a finding: a command line for a shell of root, or of the user on the client's side; or a sentence. */
export type Cure = MendingCommand | { readonly advice: string }

export interface Finding {
  readonly severity: Severity
  /** One sentence. */
  readonly text: string
  /** What was seen, one line each. */
  readonly evidence: readonly string[]
  readonly cure?: Cure
}

export type Answer =
  /** @param seen what was seen, in a few words. */
  | { readonly kind: 'good'; readonly seen: string }
  | { readonly kind: 'bad'; readonly findings: readonly [Finding, ...Finding[]] }
  /** Completes “not checked because …”. */
  | { readonly kind: 'not checked'; readonly because: string }

/** `host`: on both sides. `cluster`: of `ghostport cluster check`. */
export type Side = 'server' | 'client' | 'host' | 'cluster'

/** One check. {@link defineCheck} makes one. */
export interface Check {
  /** Stable: for scripts, and for `--only`. */
  readonly code: string
  readonly side: Side
  /** A question whose good answer is yes. */
  readonly question: string
  readonly needs: readonly DoctorFactName[]
  judge(facts: Partial<DoctorFacts>): Answer
}

/** @param check its judgement gets the facts that it needs. */
export function defineCheck<const Name extends DoctorFactName>(
  check: Omit<Check, 'needs' | 'judge'> & {
    readonly needs: readonly Name[]
    judge(facts: Pick<DoctorFacts, Name>): Answer
  },
): Check {
  // Safe, since doctor.ts looks at all that a check needs before it is asked.
  return check as unknown as Check
}

export function good(seen: string): Answer {
  return { kind: 'good', seen }
}

export function notChecked(because: string): Answer {
  return { kind: 'not checked', because }
}

/** @param seen what a good answer says, if there are no findings. */
export function judged(findings: readonly Finding[], seen: string): Answer {
  const [first, ...others] = findings
  return first === undefined ? good(seen) : { kind: 'bad', findings: [first, ...others] }
}

/** @returns the answer for a fact that is known; else that nothing was checked. */
export function ifKnown<T>(fact: Known<T>, judge: (value: T) => Answer): Answer {
  return fact.known ? judge(fact.value) : notChecked(fact.because)
}
