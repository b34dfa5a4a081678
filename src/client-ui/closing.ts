/** After a closing knock: what is known of the door. */
import { setTimeout as delay } from 'node:timers/promises'
import type { KnockPlan, SentKnock } from '../client/knock.ts'
import type { Door, OpenDoor } from '../client/wait.ts'
import { departed } from '../client/wait-plan.ts'
import type { ClientSettings } from '../config/client/layer.ts'
import type { IpAddress } from '../packet/address.ts'
import { milliseconds, type Port } from '../units.ts'

/** A shut door does not answer. An open one answers within this time, also far away. */
const ONE_TRY = milliseconds(700)
/** The packet may arrive after the first try. */
const TRIES = 3
const PAUSE = milliseconds(200)

/** A port that was tried from this device. */
export interface TriedDoor {
  readonly address: IpAddress
  readonly port: Port
  readonly isShut: boolean
}

/**
 * Tries the port that a closing knock should have shut.
 * @returns undefined where this device cannot know: no TCP port was named, or the packet went elsewhere.
 */
export async function tryShutDoor(
  { request, settings: way }: KnockPlan,
  { natLocal, natAccess }: ClientSettings,
  sent: readonly SentKnock[],
  signal: AbortSignal,
): Promise<TriedDoor | undefined> {
  if (request.kind !== 'close' || way.proxy !== undefined || way.gateway !== undefined) return undefined
  const port = request.ports.find(({ protocol }) => protocol === 'tcp')?.port
  const [address] = departed(sent)
  if (port === undefined || address === undefined) return undefined
  const isNat = natLocal === true || natAccess !== undefined
  const door: Door = { addresses: [address], port, sign: isNat ? 'banner' : 'connect' }
  const { waitForDoor } = await import('../client/wait.ts')
  for (let left = TRIES; left > 0 && !signal.aborted; left--) {
    const found = await waitForDoor(door, performance.now(), ONE_TRY, { signal })
    if (!found.open) return { address, port, isShut: true }
    end(found)
    await delay(PAUSE)
  }
  return { address, port, isShut: false }
}

function end({ socket }: OpenDoor): void {
  socket.destroy()
}
