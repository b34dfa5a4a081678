/** Carries out a planned knock: seal, look at the port, send, wait, and explain if the port stays shut. */
import type { Receipt } from '../packet/receipt.ts'
import { type Failure, ok, type Refused, type Result, refuse } from '../result.ts'
import { inTurn } from './gateways-in-turn.ts'
import {
  type KnockPlan,
  type KnockWorld,
  type PacketSettings,
  type SealedKnock,
  type SentKnock,
  sealFor,
  sealKnock,
  sendEach,
  sendKnock,
} from './knock.ts'
import type { LaterKnocks } from './knock-again.ts'
import type { PlannedKnock } from './plan.ts'
import { withNoStanza } from './rc-stanza.ts'
import type { ClosedDoor, OpenDoor } from './wait.ts'
import { departed, doorOfSealed, doorOfSent, firstDeparture, type WaitPlan } from './wait-plan.ts'

export interface PerformOptions {
  /** Absent: the knock ends when its packets have left. */
  readonly wait?: WaitPlan | undefined
  /** Ends the knock: nothing more is sent, and no connection stays open. */
  readonly signal?: AbortSignal | undefined
  /** Called when the packets are made, before any of them leaves. A refusal ends the knock. */
  readonly onSealed?: (packets: readonly SealedKnock[]) => Result<void> | undefined
  /**
   * Called when the packets of a knock have left; for the first, before the wait.
   * @param number 1 for the first knock.
   */
  readonly onSent?: (packets: readonly SentKnock[], number: number) => void
  /** Called when a gateway took no packet, and the next one is tried with a packet that is sealed anew. */
  readonly onNextGateway?: (failure: Failure, next: KnockPlan) => void
}

export interface PerformedKnock {
  /** As it was sent: by the gateway that took the packets. */
  readonly plan: KnockPlan
  /** The packets of all knocks, in order. */
  readonly sent: readonly SentKnock[]
  /** The port that was waited for. Its socket belongs to the caller. */
  readonly opened?: OpenDoor
  /** What the server says, where a gateway brought it. */
  readonly receipt?: Receipt
}

/** Why a knock failed. */
export interface PerformFailure extends Failure {
  /** For `PORT_NOT_OPEN`: the likely causes, the likeliest first, each a sentence or two. Else empty. */
  readonly causes: readonly string[]
  /** The packets that were made and sent. */
  readonly sent: readonly SentKnock[]
  /** A gateway had the packet, and did not say what it did with it. */
  readonly unclear?: true
}

/**
 * @returns what was sent, and the open port if one was waited for; or `NAME_UNRESOLVED`, `SEND_FAILED`,
 * `PORT_NOT_OPEN`, `ABORTED`, or why the message cannot be sealed.
 */
export function performKnock(
  planned: PlannedKnock,
  options: PerformOptions,
): Promise<Result<PerformedKnock, PerformFailure>> {
  return inTurn(planned, (way) => performBy(way, options), options.onNextGateway)
}

async function performBy(
  { plan, world, noStanza, keysOf }: PlannedKnock,
  { wait, signal, onSealed, onSent }: PerformOptions,
): Promise<Result<PerformedKnock, PerformFailure>> {
  const sealed = await unlessAborted(() => sealKnock(plan, world), signal)
  if (sealed === undefined) return aborted()
  if (!sealed.ok) {
    const { failure } = sealed
    return failed(failure.code === 'NAME_UNRESOLVED' ? withNoStanza(failure, noStanza) : failure)
  }
  const stop = onSealed?.(sealed.value)
  if (stop?.ok === false) return failed(stop.failure)

  // The code is loaded and the port looked at before the packet leaves.
  const waiting =
    wait === undefined ? undefined : { ...wait, ...(await import('./wait.ts')), ...(await import('./knock-again.ts')) }
  // Behind a proxy, the packet goes to another host than the connections that the door lets in.
  const behind = wait === undefined || plan.settings.proxy === undefined ? undefined : await serverOf(plan, world)
  if (behind?.ok === false) return failed(withNoStanza(behind.failure, noStanza))
  if (isAborted(signal)) return aborted()
  const look = waiting?.lookAtDoor(doorOfSealed(sealed.value, waiting, behind?.value))
  // Connections begin in the next tick. A raw packet would leave before, and the port would seem open already.
  if (look !== undefined) await new Promise<void>((resolve) => setImmediate(resolve))
  if (isAborted(signal)) {
    look?.end()
    return aborted()
  }
  let first: readonly SentKnock[]
  try {
    const sending = await sendKnock(sealed.value, world.delivery, signal)
    if (!sending.ok) {
      look?.end()
      return isAborted(signal) ? aborted() : failed(sending.failure)
    }
    first = sending.value
    onSent?.(first, 1)
  } catch (error) {
    look?.end()
    throw error
  }
  const receipt = hasReceipts(first) ? (await import('./receipts.ts')).receiptOf(first, plan.keys) : undefined
  if (waiting === undefined) return withReceipt(plan, first, await receipt)

  const door = doorOfSent(first, waiting, behind?.value)
  const destinations = departed(first)
  const later = waiting.knockLater(waiting.laterKnockTimes(waiting.knocks, waiting.limit), async (number) => {
    const fresh = await sealFor(destinations, plan, world)
    // The same request was sealed for the first knock.
    if (!fresh.ok) return []
    const again = await sendEach(fresh.value, world.delivery, signal)
    onSent?.(again, number)
    return again
  })
  const outcome = await waiting.waitForDoor(door, firstDeparture(first), waiting.limit, { look, signal })
  const sent = [...first, ...(await endOf(later, outcome))]
  if (outcome.open) return ok({ plan, sent, opened: outcome })
  if (isAborted(signal)) return aborted(sent)
  const said = await receipt
  const { explainShutDoor } = await import('./explain.ts')
  const { request, settings } = plan
  const now = world.clock.now()
  const how = { limit: waiting.limit, sent, request, now, ...howSent(settings) }
  const explained = explainShutDoor({ door, seen: outcome, ...how })
  const { failure } = explained
  const causes = [...(await causesInReceipt(said)), ...explained.causes]
  if (keysOf !== undefined) {
    const { causeOfAge } = await import('./age-of-keys.ts')
    const age = causeOfAge(keysOf, now)
    if (age !== undefined) return failed(failure, sent, age.certain ? [age.text, ...causes] : [...causes, age.text])
  }
  if (noStanza?.meant === undefined) return failed(failure, sent, causes)
  const { word, file, meant } = noStanza
  const unused = `No stanza of ${file} matches “${word}”, so no stanza was used. Perhaps: ${meant}`
  return failed(failure, sent, [unused, ...causes])
}

/** Without a wait, the receipt is all that is known. */
async function withReceipt(
  plan: KnockPlan,
  sent: readonly SentKnock[],
  receipt: Receipt | undefined,
): Promise<Result<PerformedKnock, PerformFailure>> {
  if (receipt?.verdict !== 'refused') return ok({ plan, sent, ...(receipt === undefined ? {} : { receipt }) })
  const { refusalInReceipt } = await import('./receipts.ts')
  return failed(refusalInReceipt(receipt).failure, sent)
}

async function causesInReceipt(receipt: Receipt | undefined): Promise<readonly string[]> {
  if (receipt === undefined) return []
  if (receipt.verdict === 'refused')
    return [`The server refused the knock: ${(await import('./receipts.ts')).meaningOf(receipt.code)}.`]
  return ['The server says that it granted the knock. So something between here and the service drops the connection.']
}

function hasReceipts(sent: readonly SentKnock[]): boolean {
  return sent.some(({ departure }) => departure.ok && departure.value.receipt !== undefined)
}

/** The addresses of the server itself. */
function serverOf({ server, settings }: KnockPlan, { resolve }: KnockWorld) {
  return resolve(server, settings.family)
}

function howSent({ transport, proxy, gateway, spoofedSource }: PacketSettings) {
  return {
    ...(gateway === undefined ? {} : { byGateway: true }),
    ...(transport === undefined ? {} : { transport }),
    ...(proxy === undefined ? {} : { proxied: true }),
    ...(spoofedSource === undefined ? {} : { spoofed: true }),
  }
}

/** @returns what was sent after the first knock. Closes the open port if that cannot be told. */
async function endOf(later: LaterKnocks, outcome: OpenDoor | ClosedDoor): Promise<readonly SentKnock[]> {
  try {
    return await later.end()
  } catch (error) {
    if (outcome.open) outcome.socket.destroy()
    throw error
  }
}

function failed(
  failure: Failure,
  sent: readonly SentKnock[] = [],
  causes: readonly string[] = [],
): Refused<PerformFailure> {
  return { ok: false, failure: { ...failure, causes, sent } }
}

/** @param sent the packets that had left by then. */
export function aborted(sent: readonly SentKnock[] = []): Refused<PerformFailure> {
  const detail = sent.length === 0 ? 'before a packet was sent' : 'while waiting for the port'
  return failed(refuse('ABORTED', detail).failure, sent)
}

/** A function, so that each call reads the signal again: the type checker would keep the first answer. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true
}

/**
 * @param work is not begun after the signal. If the signal comes later, the work goes on, and its result or error is
 * ignored.
 * @returns undefined if the signal comes first.
 */
export async function unlessAborted<T>(
  work: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T | undefined> {
  if (signal === undefined) return work()
  if (signal.aborted) return undefined
  let onAbort: (() => void) | undefined
  const abort = new Promise<undefined>((resolve) => {
    onAbort = () => resolve(undefined)
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([work(), abort])
  } finally {
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort)
  }
}
