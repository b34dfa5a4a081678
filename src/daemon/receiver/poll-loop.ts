/**
 * The loop of a receiver on Linux: one thread that waits in poll(2) for the channel and for packets, and does what
 * came. It never returns to Node's event loop. So no packet waits for other work, an idle machine is not woken, and the
 * receiver needs few system calls.
 */

import { type Capture, captureError } from '../../capture/capture.ts'
import { packetSocketCapture } from '../../capture/packet-socket/packet-socket.ts'
import { udpCapture } from '../../capture/udp/udp.ts'
import { monotonic } from '../../clock.ts'
import { PollSet } from '../../system/poll-set.ts'
import { milliseconds } from '../../units.ts'
import type { CaptureOrder, ToReceiver } from '../link/protocol.ts'
import { type GiveUp, ReceiverDuty } from './duty.ts'
import { PolledChannel } from './polled-channel.ts'
import { VainWakes } from './vain-wakes.ts'

/** How long the sockets are left out after wake-ups in vain. */
const PAUSE = milliseconds(100)

/** A descriptor that packets come from, and who reads them there. */
interface Source {
  readonly capture: Capture
  readonly socket: number
}

/**
 * @param fd of the channel
 * @param longestLine of the warden's, in bytes
 */
export function receiveByPolling(fd: number, longestLine: number, giveUp: GiveUp): never {
  const channel = new PolledChannel(fd, longestLine)
  let waiting = new PollSet([fd])
  let sources: readonly Source[] = []
  let isNew = false
  const duty = new ReceiverDuty({
    send: (message) => channel.send(message),
    backlog: () => channel.backlog,
    capture(orders) {
      const captures = orders.map(captureFor)
      sources = captures.flatMap((capture) => capture.fds.map((socket) => ({ capture, socket })))
      waiting = new PollSet([fd, ...sources.map(({ socket }) => socket)])
      isNew = true
      return captures
    },
  })
  channel.send({ type: 'started' })
  const vain = new VainWakes()
  for (;;) {
    waiting.alsoWrite(0, channel.backlog > 0)
    if (vain.isPauseDue) waiting.wait(PAUSE, 1)
    else waiting.wait(untilReport(duty))
    channel.flush()
    if (waiting.isReadable(0)) {
      const read = channel.read()
      if (!read.ok) giveUp(read.failure)
      const done = duty.onMessages(read.value as ToReceiver[])
      if (!done.ok) giveUp(done.failure)
    }
    if (isNew) {
      isNew = false
      duty.ready()
    }
    let isSocketReady = false
    let taken = 0
    // One batch of each in turn: where one is flooded, the others are heard all the same.
    for (const [i, { capture, socket }] of sources.entries())
      if (waiting.isReadable(1 + i)) {
        isSocketReady = true
        const before = capture.taken
        const packets = capture.receive(socket)
        taken += capture.taken - before
        if (packets.length > 0) duty.look(packets)
      }
    if (untilReport(duty) === 0) duty.report()
    vain.woke(isSocketReady, taken)
  }
}

/** In milliseconds, rounded up; -1 while there is nothing to report. */
function untilReport({ reportAt }: ReceiverDuty): number {
  return reportAt === undefined ? -1 : Math.max(0, Math.ceil(reportAt - monotonic()))
}

function captureFor({ config, sockets: fds }: CaptureOrder): Capture {
  if (fds === 'own') throw captureError({ code: 'CAPTURE_FAILED', detail: 'a receiver that polls opens no sockets' })
  const { ports, filter, maxBytes } = config
  const bounds = { ports, ...(filter !== undefined && { filter }), maximumPayload: maxBytes }
  switch (config.kind) {
    case 'packet': {
      const interfaces = config.interfaces === 'any' ? [] : config.interfaces
      return packetSocketCapture({ ...bounds, fds, interfaces })
    }
    case 'udp':
      return udpCapture({ ...bounds, fds })
    default:
      return config.kind satisfies never
  }
}
