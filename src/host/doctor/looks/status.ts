/** What the running server says of itself, at the control socket of its configuration. */
import type { Status } from '../../../daemon/warden/status.ts'
import { USUAL_CONTROL_SOCKET } from '../../facts/own-state.ts'
import { type Known, known, notKnown } from '../../known.ts'
import { once } from '../../once.ts'
import type { Subject } from '../subject.ts'
import { lookAtLoaded } from './configuration.ts'

export interface Running {
  readonly socket: string
  /** Undefined if no server answers. */
  readonly status: Status | undefined
}

export const lookAtStatus = once(async (subject: Subject): Promise<Known<Running>> => {
  const loaded = await lookAtLoaded(subject)
  const socket = loaded.known ? loaded.value.server.controlSocket : USUAL_CONTROL_SOCKET
  const answer = await subject.looker.control(socket)
  if (!answer.known) return answer
  const status = answer.value
  if (status === undefined) return known({ socket, status })
  // Our own daemon, behind a socket that only root can have made.
  return typeof status === 'object' && status !== null && 'counters' in status
    ? known({ socket, status: status as Status })
    : notKnown(`${socket}: the answer is not that of a ghostport server`)
})
