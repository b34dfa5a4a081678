/** `ghostport doctor --fix`: shows each command that is safe, asks, runs it, and examines again. */

import type { Examined } from '../../host/doctor/doctor.ts'
import { type Fixable, fixableIn, mend } from '../../host/doctor/fix.ts'
import { lookAtDeadMan } from '../../host/doctor/looks/dead-man.ts'
import type { Subject } from '../../host/doctor/subject.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { auditLogHere, recorded } from '../recorded.ts'
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
export async function fixFindings(
  subject: Subject,
  examined: readonly Examined[],
  terminal: Terminal,
  { yes, quiet }: FixOptions,
): Promise<Result<readonly Fix[], Failure<'CHANGES_PENDING' | 'CLI_USAGE'>>> {
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
    const { code, finding, command } = each
    if (!quiet)
      terminal.print([
        line`to mend: ${finding.text} ${terminal.style.dim(`[${code}]`)}`,
        line`  run: ${terminal.style.bold(command)}`,
      ])
    const wanted = yes || quiet ? true : isWanted()
    if (wanted === undefined) return refuse('CLI_USAGE', 'there is no terminal to ask at', { suggestion: '--yes' })
    const because = wanted ? await mendRecorded(each) : 'it was not wanted'
    fixes.push(because === undefined ? each : { ...each, because })
    if (!quiet) terminal.print(because === undefined ? '  done' : `  not done: ${because}`)
  }
  return ok(fixes)
}

/** @returns undefined if nobody can be asked. */
function isWanted(): boolean | undefined {
  const answer = ask('Run it? [y/N]')
  return answer === undefined ? undefined : /^y(es)?$/i.test(answer)
}

/** @returns why it was not done. What a user mends who is not root is the user's own. */
async function mendRecorded({ code, command, cure }: Fixable): Promise<string | undefined> {
  if (process.geteuid?.() !== 0) return mend(cure)
  const change = { did: 'doctor --fix', to: code, after: [command] }
  const done = await recorded(auditLogHere(), change, () => {
    const because = mend(cure)
    return because === undefined ? ok(undefined) : refuse('CHANGE_FAILED', because)
  })
  return done.ok ? undefined : done.failure.detail
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
