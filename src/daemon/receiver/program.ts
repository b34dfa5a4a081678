/**
 * The program that reads what strangers send. It gives up all privilege first, and makes sure that it has none. It gets
 * its packets from descriptors that the warden opened. The kernel refuses it all that it does not need. It reports to
 * the warden the packets that some key opened. What it may not do, it cannot: it holds no firewall, no replay store and
 * no file.
 *
 * Started by the warden, with the channel as descriptor 4. With `--become UID:GID` it starts as root, with few
 * capabilities, and changes user before it gets its configuration. Or started by systemd for a connection of the
 * warden, as a user of its own (`--from-socket`, link/handover.ts).
 */
import { writeSync } from 'node:fs'
import { failureKinds } from '../../failure-codes.ts'
import type { Failure } from '../../result.ts'
import { becomeUnprivileged, parseBecome } from '../../system/become.ts'
import { RECEIVER_TITLE, setProcessTitle } from '../../system/own-process.ts'
import { type FromReceiver, LONGEST_DETAIL } from '../link/protocol.ts'
import {
  CHANNEL_DESCRIPTOR,
  captureIndex,
  FROM_SOCKET_OPTION,
  OWN_SOCKETS_OPTION,
  SERVICE_DESCRIPTOR,
} from '../link/receiver-start.ts'
import { receiveByPolling } from './poll-loop.ts'

/** The configuration of ten thousand stanzas is some megabytes. */
const LONGEST_MESSAGE_OF_THE_WARDEN = 256 * 1024 * 1024

/** The channel to the warden. */
let channel = CHANNEL_DESCRIPTOR

/** Sends the reason to the warden, and ends. */
function giveUp(failure: Failure): never {
  const { code, detail } = failure
  const message: FromReceiver = { type: 'failed', code, detail: detail.slice(0, LONGEST_DETAIL) }
  try {
    writeSync(channel, `${JSON.stringify(message)}\n`)
  } catch {
    // There is no warden any more.
  }
  process.exit(failureKinds[failure.code].exit)
}

async function main(): Promise<void> {
  setProcessTitle(RECEIVER_TITLE)
  const isFromSocket = process.argv.includes(FROM_SOCKET_OPTION)
  if (isFromSocket) channel = SERVICE_DESCRIPTOR
  const become = parseBecome(process.argv)
  if (!become.ok) giveUp(become.failure)
  const unprivileged = await becomeUnprivileged(become.value)
  if (!unprivileged.ok) giveUp(unprivileged.failure)
  if (isFromSocket) {
    const { takeDescriptors } = await import('../link/handover.ts')
    const taken = takeDescriptors(channel, process.env)
    if (!taken.ok) giveUp(taken.failure)
    const { value } = taken
    receiveByPolling(channel, LONGEST_MESSAGE_OF_THE_WARDEN, giveUp, (agreed) => value[captureIndex(agreed)] ?? -1)
  }
  // Ctrl-C in a terminal goes to the whole group; when to end is the warden's decision.
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})
  if (!process.argv.includes(OWN_SOCKETS_OPTION))
    receiveByPolling(CHANNEL_DESCRIPTOR, LONGEST_MESSAGE_OF_THE_WARDEN, giveUp)
  // Such a receiver is the user that it was started as, and may read the program still.
  const { receiveByEvents } = await import('./event-loop.ts')
  receiveByEvents(CHANNEL_DESCRIPTOR, LONGEST_MESSAGE_OF_THE_WARDEN, giveUp)
}

await main().catch((error: Error) =>
  giveUp((error.cause as Failure | undefined) ?? { code: 'RECEIVER_GONE', detail: error.message }),
)
