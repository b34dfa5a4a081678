/** A knock after which the port stayed shut: what to tell the user. */
import { explainShutDoor, type ShutDoor } from '../../client/explain.ts'
import type { SentKnock } from '../../client/knock.ts'
import type { PlannedKnock } from '../../client/plan.ts'
import type { ClosedDoor, Door } from '../../client/wait.ts'
import type { Milliseconds } from '../../units.ts'

interface Waited {
  readonly door: Door
  readonly seen: ClosedDoor
  readonly limit: Milliseconds
  readonly sent: readonly SentKnock[]
}

/** The failure and its causes, that no stanza was found for the argument among them. */
export function tellShutDoor({ plan, world, noStanza }: PlannedKnock, waited: Waited): ShutDoor {
  const { failure, causes } = explainShutDoor({ ...waited, request: plan.request, now: world.clock.now() })
  if (noStanza?.meant === undefined) return { failure, causes }
  const { word, file, meant } = noStanza
  return {
    failure,
    causes: [`No stanza of ${file} fits “${word}”, so that none was used. Perhaps: ${meant}`, ...causes],
  }
}
