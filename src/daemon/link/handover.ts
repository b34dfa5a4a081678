/**
 * How a process that systemd started gets its descriptors: over the connection that it was started for. The connection
 * then is its channel. The other side must be root: the kernel says who it is.
 */
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { libc } from '../../system/libc.ts'
import { peerOf, receiveDescriptors } from '../../system/pass-descriptors.ts'
import { PollSet } from '../../system/poll-set.ts'
import { milliseconds } from '../../units.ts'
import { parseHandover } from './parse-handover.ts'
import { LONGEST_HANDOVER } from './receiver-start.ts'

/** They are sent as soon as there is a connection. */
const PATIENCE = milliseconds(10_000)
const STANDARD_ERROR = 2

/**
 * Takes standard error, and the other descriptors.
 *
 * @param channel the connection.
 * @param environment what systemd says of the connection is removed from it.
 * @returns the descriptors in the warden's order. WARDEN_GONE if it is not the warden, or sends something else.
 */
export function takeDescriptors(
  channel: number,
  environment: NodeJS.ProcessEnv,
): Result<readonly number[], Failure<'WARDEN_GONE'>> {
  for (const name of ['LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES', 'REMOTE_ADDR', 'REMOTE_PORT'])
    delete environment[name]
  try {
    const { uid } = peerOf(channel)
    if (uid !== 0) return refuse('WARDEN_GONE', `user ${uid} connected, and only root may`)
    new PollSet([channel]).wait(PATIENCE)
    const arrived = receiveDescriptors(channel, LONGEST_HANDOVER, 'take')
    if (arrived === undefined || arrived === 'empty') return refuse('WARDEN_GONE', 'the warden sent no descriptors')
    const handover = parseHandover(arrived.bytes.toString('utf8'))
    if (!handover.ok) return handover
    const [errors, ...descriptors] = arrived.descriptors
    if (errors === undefined || descriptors.length !== handover.value.count)
      return refuse('WARDEN_GONE', `the warden sent ${arrived.descriptors.length} descriptors`)
    // What this process says goes to the warden, which limits it, and no more to the journal.
    libc().dup2(errors, STANDARD_ERROR)
    libc().close(errors)
    const { zone } = handover.value
    if (zone !== undefined) environment['TZ'] = zone
    return ok(descriptors)
  } catch (error) {
    return refuse('WARDEN_GONE', `the connection to the warden: ${(error as Error).message}`)
  }
}
