/**
 * The last step of admission: the firewall opens all granted requests in one transaction, and commands go to the part
 * that runs them.
 */
import type { Grant } from '../../../access/grant.ts'
import type { StanzaIndex } from '../../../access/matching.ts'
import type {
  Action,
  CommandAction,
  CycleAction,
  GrantAction,
  Granted,
  Refusal,
  Verdict,
} from '../../../access/verdict.ts'
import type { CommandRunner } from '../../../commands/commands.ts'
import type { Firewall } from '../../../firewall/firewall.ts'
import { type Failure, refuse } from '../../../result.ts'

type Opened = Awaited<ReturnType<Firewall['open']>>[number]

/** What carries actions out. */
export interface Hands {
  readonly firewall: Pick<Firewall, 'open'>
  readonly commands: CommandRunner
  /** Under which the verdicts were made. */
  readonly index: Pick<StanzaIndex, 'byId'>
}

/**
 * @returns the verdicts, in order. A grant in them is open, and a command has begun or waits for its turn. What the
 * firewall or the executor refused becomes a refusal.
 */
export async function open(verdicts: readonly Verdict[], hands: Hands): Promise<readonly Verdict[]> {
  if (!verdicts.some(({ granted }) => granted)) return verdicts
  const grants = verdicts.flatMap((verdict) => (verdict.granted ? grantsOf(verdict.action) : []))
  const opened = (grants.length === 0 ? [] : await hands.firewall.open(grants)).values()
  return verdicts.map((verdict) => (verdict.granted ? carriedOut(verdict, opened, hands) : verdict))
}

/** The grants that the firewall must open for an action. */
function grantsOf(action: Action): readonly Grant[] {
  switch (action.kind) {
    case 'grant':
      return [action.grant]
    case 'command':
    case 'cycle':
      return []
    default:
      return action satisfies never
  }
}

/** @param opened the firewall's answers; those for this verdict's {@link grantsOf} come next. */
function carriedOut(verdict: Granted, opened: Iterator<Opened>, hands: Hands): Granted | Refusal {
  const { action } = verdict
  switch (action.kind) {
    case 'grant':
      return asOpened(verdict, action, opened.next().value)
    case 'command':
      return asSubmitted(verdict, action, hands)
    case 'cycle':
      return asCycled(verdict, action, hands)
    default:
      return action satisfies never
  }
}

function asOpened(verdict: Granted, action: GrantAction, opened: Opened | undefined): Granted | Refusal {
  if (opened?.ok) return { ...verdict, action: { ...action, ...opened.value } }
  return asRefused(verdict, opened?.failure ?? refuse('FIREWALL_REFUSED', 'the firewall gave no answer').failure)
}

function asSubmitted(verdict: Granted, action: CommandAction, { commands, index }: Hands): Granted | Refusal {
  const rule = index.byId(verdict.stanza)?.commands
  if (rule === undefined) throw new Error('a command of a stanza without commands')
  const job = commands.runCommand(action, verdict.stanza, rule)
  return job.ok ? { ...verdict, action: { ...action, job: job.value } } : asRefused(verdict, job.failure)
}

function asCycled(verdict: Granted, action: CycleAction, { commands, index }: Hands): Granted | Refusal {
  const rule = index.byId(verdict.stanza)?.cycle
  if (rule === undefined) throw new Error('a cycle of a stanza without one')
  const jobs = commands.runCycle(action, verdict.stanza, rule)
  return jobs.ok ? { ...verdict, action: { ...action, jobs: jobs.value } } : asRefused(verdict, jobs.failure)
}

function asRefused({ stanza, denials, receiptDue }: Granted, failure: Failure): Refusal {
  return { granted: false, failure, stanza, denials, ...(receiptDue !== undefined && { receiptDue }) }
}
