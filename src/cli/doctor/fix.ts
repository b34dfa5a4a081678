/** `ghostport doctor --fix`: shows each command that is safe, asks, runs it, and examines again. */

import type { Examined } from '../../host/doctor/doctor.ts'
import { type Fixable, fixableIn, mend } from '../../host/doctor/fix.ts'
import { lookAtDeadMan } from '../../host/doctor/looks/dead-man.ts'
import type { Subject } from '../../host/doctor/subject.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { ask } from '../terminal/ask.ts'
import { line } from '../terminal/line.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** What became of a finding that could be mended. */
export interface Fix extends Fixable {
  /** Absent: the command did its work. */
  readonly because?: string
}

export interface FixOptions {
  /** Ask nothing. */
  readonly yes: boolean
  /** Say nothing: the result is told as JSON. */
  readonly quiet: boolean
}

/**
 * @returns what was done; empty if there was nothing to do. CHANGES_PENDING: a confirmation is waited for, and what is
 * taken back then must be as it is. CLI_USAGE: nobody can be asked.
 */
export function fixFindings(
  subject: Subject,
  examined: readonly Examined[],
  terminal: Terminal,
  { yes, quiet }: FixOptions,
): Result<readonly Fix[], Failure<'CHANGES_PENDING' | 'CLI_USAGE'>> {
  const fixable = fixableIn(examined)
  if (fixable.length === 0) return ok([])
  const waiting = lookAtDeadMan(subject)
  if (!waiting.known && subject.looker.uid === 0)
    return refuse(
      'CHANGES_PENDING',
      `--fix changes nothing where it cannot see whether changes wait: ${waiting.because}`,
    )
  if (waiting.known && waiting.value !== undefined)
    return refuse('CHANGES_PENDING', `--fix changes nothing while changes of “ghostport ${waiting.value.of}” wait`, {
      suggestion: 'ghostport doctor --only DEAD_MAN',
    })
  const fixes: Fix[] = []
  for (const each of fixable) {
    const { code, finding, command, cure } = each
    if (!quiet)
      terminal.print([
        line`to mend: ${finding.text} ${terminal.style.dim(`[${code}]`)}`,
        line`  run: ${terminal.style.bold(command)}`,
      ])
    const because = yes || quiet ? mend(cure) : asked(cure)
    if (because === NOBODY) return refuse('CLI_USAGE', 'there is no terminal to ask at', { suggestion: '--yes' })
    fixes.push(because === undefined ? each : { ...each, because })
    if (!quiet) terminal.print(because === undefined ? '  done' : `  not done: ${because}`)
  }
  return ok(fixes)
}

const NOBODY = Symbol('no terminal')

function asked(cure: Fixable['cure']): string | undefined | typeof NOBODY {
  const answer = ask('Run it? [y/N]')
  if (answer === undefined) return NOBODY
  return /^y(es)?$/i.test(answer) ? mend(cure) : 'it was not wanted'
}

/** Stable: fields are added, never changed. */
export function fixesJson(fixes: readonly Fix[]) {
  return fixes.map(({ code, finding, command, because }) => ({
    code,
    text: finding.text,
    command,
    done: because === undefined,
    because: because ?? null,
  }))
}
