/** Examines a host: looks at what the checks need, and asks each of them. Changes nothing. */
import type { Answer, Check, Severity, Side } from './check.ts'
import { type DoctorFactName, lookAtSubject } from './doctor-facts.ts'
import type { Subject } from './subject.ts'

export interface Examined {
  readonly check: Check
  readonly answer: Answer
}

/** @returns the answers, in the order of the checks. */
export async function examine(subject: Subject, checks: readonly Check[]): Promise<readonly Examined[]> {
  const needs = new Set<DoctorFactName>(checks.flatMap((check) => check.needs))
  const facts = await lookAtSubject(subject, needs)
  return checks.map((check) => ({ check, answer: check.judge(facts) }))
}

/** The checks of these sides, and those for every host. */
export function checksFor(checks: readonly Check[], sides: ReadonlySet<Side>): readonly Check[] {
  return checks.filter(({ side }) => side === 'host' || sides.has(side))
}

/** How many of each. */
export interface Tally {
  readonly checks: number
  readonly good: number
  readonly notChecked: number
  readonly findings: Readonly<Record<Severity, number>>
}

export function tallyOf(examined: readonly Examined[]): Tally {
  const findings = { error: 0, warning: 0, hint: 0 }
  for (const { answer } of examined)
    if (answer.kind === 'bad') for (const { severity } of answer.findings) findings[severity]++
  return {
    checks: examined.length,
    good: examined.filter(({ answer }) => answer.kind === 'good').length,
    notChecked: examined.filter(({ answer }) => answer.kind === 'not checked').length,
    findings,
  }
}

/** @param strict warnings count as errors. @returns the exit status: 0 for fine or hints, 1 for errors. */
export function statusOf({ findings }: Tally, strict: boolean): 0 | 1 {
  return findings.error > 0 || (strict && findings.warning > 0) ? 1 : 0
}
