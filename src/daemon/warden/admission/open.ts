/**
 * The last step of admission: the firewall opens all granted requests in one transaction, and commands go to the part
 * that runs them.
 */
import type { Grant } from '../../../access/grant.ts'
import type { StanzaIndex } from '../../../access/matching.ts'
import type {
  Action,
  CloseAction,
  Closing,
  CommandAction,
  CycleAction,
  GrantAction,
  Granted,
  Refusal,
  Verdict,
} from '../../../access/verdict.ts'
import type { CommandRunner } from '../../../commands/commands.ts'
import type { Firewall } from '../../../firewall/firewall.ts'
import { type Failure, type Result, refuse } from '../../../result.ts'

type Opened = Awaited<ReturnType<Firewall['open']>>[number]

/**
 * Ends grants for a closing knock.
 * @returns what ended; ACCESS_CLOSE_SHARED if a port stays open for another stanza at the same address.
 */
export type CloseOwn = (closing: Closing) => Promise<Result<readonly Grant[], Failure>>

/** What carries actions out. */
export interface Hands {
  readonly firewall: Pick<Firewall, 'open'>
  /** Absent: no grant ends before its time. */
  readonly closeOwn?: CloseOwn | undefined
  readonly commands: CommandRunner
  /** Under which the verdicts were made. */
  readonly index: Pick<StanzaIndex, 'byId'>
}

/**
 * @returns the verdicts, in order. A grant in them is open, and a command has begun or waits for its turn. What the
 * firewall or the executor refused becomes a refusal.
 */
export async function open(verdicts: readonly Verdict[], hands: Hands): Promise<readonly Verdict[]> {
  const at = verdicts.findIndex(isClose)
  const close = verdicts[at]
  if (close === undefined || !isClose(close)) return await openAll(verdicts, hands)
  // In order: what was asked for before a close ends by it, and what was asked for after it stays.
  const before = await openAll(verdicts.slice(0, at), hands)
  const closed = await asClosed(close, hands)
  return [...before, closed, ...(await open(verdicts.slice(at + 1), hands))]
}

const CANNOT_CLOSE = refuse('FIREWALL_REFUSED', 'grants end at their time only')

type GrantedClose = Granted & { readonly action: CloseAction }

function isClose(verdict: Verdict): verdict is GrantedClose {
  return verdict.granted && verdict.action.kind === 'close'
}

async function asClosed(verdict: GrantedClose, { closeOwn }: Hands): Promise<Granted | Refusal> {
  const closed = (await closeOwn?.(verdict.action.closing)) ?? CANNOT_CLOSE
  return closed.ok
    ? { ...verdict, action: { ...verdict.action, closed: closed.value } }
    : asRefused(verdict, closed.failure)
}

async function openAll(verdicts: readonly Verdict[], hands: Hands): Promise<readonly Verdict[]> {
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
    case 'close':
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
    case 'close':
      throw new Error('a close among what opens')
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
