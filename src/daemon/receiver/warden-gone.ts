/** Why a receiver ends that has no warden any more, in either loop. */
import { type Failure, refuse } from '../../result.ts'

export const WARDEN_ENDED = refuse(
  'WARDEN_GONE',
  'the warden ended; nothing can be opened, and what is open ends on time. Start ghostport again',
).failure

/** @param why the channel cannot be read any more. */
export function channelBroke(why: string): Failure<'WARDEN_GONE'> {
  return refuse('WARDEN_GONE', `the channel to the warden broke: ${why}`).failure
}
