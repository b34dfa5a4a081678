/** A planned knock, to its end: seal, look at the port, send, wait, and where it stays shut, explain. */
import { type Failure, ok, type Refused, type Result, refuse } from '../result.ts'
import { type SealedKnock, type SentKnock, sealKnock, sendKnock } from './knock.ts'
import type { PlannedKnock } from './plan.ts'
import { withNoStanza } from './rc-stanza.ts'
import type { OpenDoor } from './wait.ts'
import { doorOfSealed, doorOfSent, firstDeparture, type WaitPlan } from './wait-plan.ts'

export interface PerformOptions {
  /** Absent: the knock ends when its packets left. */
  readonly wait?: WaitPlan | undefined
  /** Ends the knock: then nothing more is sent, and no connection is left. */
  readonly signal?: AbortSignal | undefined
  /** The packets are made, and none has left. */
  readonly onSealed?: (packets: readonly SealedKnock[]) => void
  /** They left; the wait, where one is wanted, begins. */
  readonly onSent?: (packets: readonly SentKnock[]) => void
}

export interface PerformedKnock {
  readonly sent: readonly SentKnock[]
  /** Where the port was waited for. Its socket belongs to the caller. */
  readonly opened?: OpenDoor
}

/** How a knock failed. */
export interface PerformFailure extends Failure {
  /** For `PORT_NOT_OPEN`: the likely causes, the likeliest first, a sentence or two each. Else none. */
  readonly causes: readonly string[]
  /** The packets that were made and handed to the system. */
  readonly sent: readonly SentKnock[]
}

/**
 * @returns what was sent, and the open port where one was waited for; or `NAME_UNRESOLVED`, `SEND_FAILED`, `PORT_NOT_OPEN`,
 * `ABORTED`, or why the message cannot be sealed.
 */
export async function performKnock(
  { plan, world, noStanza }: PlannedKnock,
  { wait, signal, onSealed, onSent }: PerformOptions,
): Promise<Result<PerformedKnock, PerformFailure>> {
  const sealed = await unlessAborted(sealKnock(plan, world), signal)
  if (sealed === undefined) return aborted()
  if (!sealed.ok) {
    const { failure } = sealed
    return failed(failure.code === 'NAME_UNRESOLVED' ? withNoStanza(failure, noStanza) : failure)
  }
  onSealed?.(sealed.value)

  // Loaded, and the port looked at, before the packet leaves.
  const waiting = wait === undefined ? undefined : { ...wait, ...(await import('./wait.ts')) }
  if (isAborted(signal)) return aborted()
  const look = waiting?.lookAtDoor(doorOfSealed(sealed.value, waiting))
  const sending = await sendKnock(sealed.value, world.delivery)
  if (!sending.ok) {
    look?.end()
    return failed(sending.failure)
  }
  const sent = sending.value
  onSent?.(sent)
  if (waiting === undefined) return ok({ sent })

  const door = doorOfSent(sent, waiting)
  const outcome = await waiting.waitForDoor(door, firstDeparture(sent), waiting.limit, { look, signal })
  if (outcome.open) return ok({ sent, opened: outcome })
  if (isAborted(signal)) return aborted(sent)
  const { explainShutDoor } = await import('./explain.ts')
  const { request } = plan
  const now = world.clock.now()
  const { failure, causes } = explainShutDoor({ door, seen: outcome, limit: waiting.limit, sent, request, now })
  if (noStanza?.meant === undefined) return failed(failure, sent, causes)
  const { word, file, meant } = noStanza
  const unused = `No stanza of ${file} matches “${word}”, so no stanza was used. Perhaps: ${meant}`
  return failed(failure, sent, [unused, ...causes])
}

function failed(
  failure: Failure,
  sent: readonly SentKnock[] = [],
  causes: readonly string[] = [],
): Refused<PerformFailure> {
  return { ok: false, failure: { ...failure, causes, sent } }
}

/** @param sent what had left by then. */
export function aborted(sent: readonly SentKnock[] = []): Refused<PerformFailure> {
  const detail = sent.length === 0 ? 'before a packet was sent' : 'while the port was waited for'
  return failed(refuse('ABORTED', detail).failure, sent)
}

/** Asked anew each time: the type checker would take the first answer for good. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true
}

/** @returns undefined where the signal comes first. What was begun goes on, and nobody hears of its end. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
  if (signal === undefined) return promise
  if (signal.aborted) return undefined
  let onAbort: (() => void) | undefined
  const abort = new Promise<undefined>((resolve) => {
    onAbort = () => resolve(undefined)
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([promise, abort])
  } finally {
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort)
  }
}
