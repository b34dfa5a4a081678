/** Who knocked last with which keys, as the running server says at its control socket. */
import type { UsesAnswer } from '../../../daemon/warden/warden.ts'
import { type Known, known, notKnown } from '../../known.ts'
import { once } from '../../once.ts'
import type { Subject } from '../subject.ts'
import { lookAtLoaded } from './configuration.ts'

export const lookAtKeyUses = once(async (subject: Subject): Promise<Known<UsesAnswer>> => {
  const loaded = await lookAtLoaded(subject)
  if (!loaded.known) return loaded
  const answer = await subject.looker.control(loaded.value.server.controlSocket, 'uses')
  if (!answer.known) return answer
  const uses = answer.value
  if (uses === undefined) return notKnown('no server runs')
  return typeof uses === 'object' && uses !== null && 'uses' in uses
    ? known(uses as UsesAnswer)
    : notKnown('the running server is of an earlier version')
})
