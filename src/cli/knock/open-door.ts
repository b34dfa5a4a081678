/** Knock, wait, and have the connection: what `ssh` and `proxy` begin with. */
import { sealKnock, sendKnock } from '../../client/knock.ts'
import type { PlannedKnock } from '../../client/plan.ts'
import { withNoStanza } from '../../client/rc-stanza.ts'
import { lookAtDoor, type OpenDoor, waitForDoor } from '../../client/wait.ts'
import type { IpAddress } from '../../packet/address.ts'
import type { Line } from '../terminal/line.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { departures, describeOpening, fieldReport } from './report.ts'
import { tellShutDoor } from './shut-door.ts'
import { doorOfSealed, doorOfSent, firstDeparture, type WaitPlan } from './wait-options.ts'

/** @returns the open door, and all addresses of the server; or, having said why there is none, the exit status. Says what it does with `-v`. */
export async function openDoor(
  planned: PlannedKnock,
  wait: WaitPlan,
  terminal: Terminal,
): Promise<(OpenDoor & { readonly addresses: readonly IpAddress[] }) | number> {
  const { plan, settings, world, noStanza } = planned
  const say = (lines: readonly Line[]): void => {
    if (settings.verbose === true) terminal.note(lines)
  }
  const sealed = await sealKnock(plan, world)
  if (!sealed.ok) {
    const { failure } = sealed
    return terminal.fail(failure.code === 'NAME_UNRESOLVED' ? withNoStanza(failure, noStanza) : failure)
  }
  say(fieldReport(plan, sealed.value))
  const look = lookAtDoor(doorOfSealed(sealed.value, wait))
  const sent = await sendKnock(sealed.value, world.delivery)
  if (!sent.ok) {
    look.end()
    return terminal.fail(sent.failure)
  }
  say(departures(plan, sent.value))

  const door = doorOfSent(sent.value, wait)
  const outcome = await waitForDoor(door, firstDeparture(sent.value), wait.limit, look)
  if (outcome.open) {
    say([describeOpening(outcome, wait.port, terminal.style)])
    return { ...outcome, addresses: sealed.value.map(({ address }) => address) }
  }
  const { failure, causes } = tellShutDoor(planned, { door, seen: outcome, limit: wait.limit, sent: sent.value })
  const status = terminal.fail(failure)
  for (const cause of causes) terminal.note(`  - ${cause}`)
  return status
}
