/** How much room there is where the used packets are recorded. Without room, no knock opens anything. */
import { dirname } from 'node:path'
import { type Known, known, notKnown } from '../../known.ts'
import type { Space } from '../../looker.ts'
import type { Subject } from '../subject.ts'
import { lookAtLoaded } from './configuration.ts'

export interface ReplaySpace extends Space {
  /** The folder, or the nearest one above it that exists. */
  readonly folder: string
}

/** @returns undefined if used packets are not recorded (ENABLE_DIGEST_PERSISTENCE). */
export async function lookAtReplaySpace(subject: Subject): Promise<Known<ReplaySpace | undefined>> {
  const loaded = await lookAtLoaded(subject)
  if (!loaded.known) return loaded
  const { policy, replay } = loaded.value.server
  if (!policy.refuseReplays) return known(undefined)
  for (let folder = dirname(replay.database); ; folder = dirname(folder)) {
    const space = subject.looker.space(folder)
    if (!space.known) return space
    if (space.value !== undefined) return known({ ...space.value, folder })
    if (folder === dirname(folder)) return notKnown(`there is no folder for ${replay.database}`)
  }
}
