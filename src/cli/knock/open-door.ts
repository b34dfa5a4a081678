/** Knock, wait, and have the connection: what `ssh` and `proxy` begin with. */
import { performKnock } from '../../client/perform.ts'
import type { PlannedKnock } from '../../client/plan.ts'
import type { OpenDoor } from '../../client/wait.ts'
import type { WaitPlan } from '../../client/wait-plan.ts'
import type { IpAddress } from '../../packet/address.ts'
import type { Line } from '../terminal/line.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { departures, describeOpening, fieldReport, nextGatewayNote, noteFailure } from './report.ts'

/**
 * @returns the open door, and all addresses of the server; or, having said why there is none, the exit status. Says
 * what it does with `-v`.
 */
export async function openDoor(
  planned: PlannedKnock,
  wait: WaitPlan,
  terminal: Terminal,
): Promise<(OpenDoor & { readonly addresses: readonly IpAddress[] }) | number> {
  const { plan, settings, world } = planned
  const say = (lines: readonly Line[]): undefined => {
    if (settings.verbose === true) terminal.note(lines)
  }
  const performed = await performKnock(planned, {
    wait,
    onSealed: (packets) => say(fieldReport(plan, packets)),
    onSent: (packets, number) => say(departures(plan, packets, number)),
    onNextGateway: nextGatewayNote(terminal),
  })
  if (!performed.ok) return noteFailure(performed.failure, terminal)
  const { sent, opened } = performed.value
  if (opened === undefined) throw new Error('a wait that ended well has an open door')
  say([describeOpening(opened, wait.port, terminal.style)])
  // Through a proxy, the packets went to other addresses.
  const behind = plan.settings.proxy === undefined ? undefined : await world.resolve(plan.server, settings.family)
  const addresses = behind?.ok === true ? behind.value : sent.map(({ address }) => address)
  return { ...opened, addresses: [...new Set(addresses)] }
}
