/** Knock, wait, and have the connection: what `ssh` and `proxy` begin with. */
import { explainShutDoor } from '../client/explain.ts'
import { sealKnock, sendKnock } from '../client/knock.ts'
import { type OpenDoor, waitForDoor } from '../client/wait.ts'
import type { PlannedKnock } from './knock-plan.ts'
import { departures, fieldReport } from './knock-report.ts'
import { withNoStanza } from './rc-stanza.ts'
import type { Terminal } from './terminal.ts'
import { firstDeparture, roundMilliseconds, type WaitPlan } from './wait-options.ts'

/** @returns the open door; or, having said why there is none, the exit status. Says what it does with `-v`. */
export async function openDoor(
  { plan, settings, world, noStanza }: PlannedKnock,
  wait: WaitPlan,
  terminal: Terminal,
): Promise<OpenDoor | number> {
  const say = (lines: readonly string[]): void => {
    if (settings.verbose === true) for (const line of lines) terminal.note(line)
  }
  const sealed = await sealKnock(plan, world)
  if (!sealed.ok) {
    const { failure } = sealed
    return terminal.fail(failure.code === 'NAME_UNRESOLVED' ? withNoStanza(failure, noStanza) : failure)
  }
  say(fieldReport(plan, sealed.value))
  const sent = await sendKnock(sealed.value, world.delivery)
  if (!sent.ok) return terminal.fail(sent.failure)
  say(departures(plan, sent.value))

  const door = { addresses: sent.value.map(({ address }) => address), port: wait.port, sign: wait.sign }
  const outcome = await waitForDoor(door, firstDeparture(sent.value), wait.limit)
  if (outcome.open) {
    say([`open after ${roundMilliseconds(outcome.after)} ms: ${outcome.address} port ${wait.port}`])
    return outcome
  }
  const circumstances = { door, seen: outcome, limit: wait.limit, request: plan.request, sent: sent.value }
  const { failure, causes } = explainShutDoor({ ...circumstances, now: world.clock.now() })
  const status = terminal.fail(failure)
  for (const cause of causes) terminal.note(`  - ${cause}`)
  return status
}
