/** A failure of ghostport's as a finding. */
import { failureKinds } from '../../failure-codes.ts'
import type { Failure } from '../../result.ts'
import type { Cure, Finding } from './check.ts'
import { mendedBy } from './safe-cures.ts'

/** A suggestion that is a command of its own, and no word to be typed into a file. */
const COMMAND = /^(chmod|chown) \S+ \S+$/
const HIDE = /^chmod 600 (\/\S+)$/

export function failureFinding({ code, detail, at, suggestion }: Failure): Finding {
  return {
    severity: 'error',
    text: `${failureKinds[code].sentence}: ${detail} [${code}]`,
    evidence: at === undefined ? [] : [`${at.file}:${at.line}`],
    cure: cureOf(at, suggestion),
  }
}

function cureOf(at: Failure['at'], suggestion: string | undefined): Cure {
  const [, hidden] = HIDE.exec(suggestion ?? '') ?? []
  if (hidden !== undefined) return mendedBy({ hide: hidden })
  if (suggestion !== undefined && COMMAND.test(suggestion)) return { command: suggestion }
  const perhaps = suggestion === undefined ? '' : `, perhaps to: ${suggestion}`
  return at === undefined
    ? { advice: suggestion === undefined ? 'ghostport check says more' : `perhaps: ${suggestion}` }
    : { advice: `change line ${at.line} of ${at.file}${perhaps}` }
}
