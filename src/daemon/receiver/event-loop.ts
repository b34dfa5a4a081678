/** The loop of a receiver that opens its own UDP sockets: Node's event loop, on each system that Node runs on. */
import { Socket } from 'node:net'
import { udpEvents } from '../../capture/udp/udp-events.ts'
import { monotonic } from '../../clock.ts'
import { capturedPorts } from '../../config/server/server-config.ts'
import type { Failure } from '../../result.ts'
import { milliseconds } from '../../units.ts'
import { openChannel } from '../link/channel.ts'
import { LossyLines, lineOf } from '../link/lossy-lines.ts'
import type { ToReceiver } from '../link/protocol.ts'
import { type GiveUp, ReceiverDuty } from './duty.ts'
import { channelBroke, WARDEN_ENDED } from './warden-gone.ts'

/** How often answers of the GnuPG process that do not come are looked for. */
const GNUPG_INTERVAL = milliseconds(1000)

/**
 * @param fd of the channel
 * @param longestLine of the warden's, in bytes
 */
export function receiveByEvents(fd: number, longestLine: number, giveUp: GiveUp): void {
  const channel = openChannel(
    new Socket({ fd }),
    {
      onValues: (values) => {
        const done = duty.onMessages(values as ToReceiver[])
        if (!done.ok) giveUp(done.failure)
      },
      onBroken: (why) => giveUp(channelBroke(why)),
      onEnd: () => giveUp(WARDEN_ENDED),
    },
    longestLine,
  )
  let reporting: NodeJS.Timeout | undefined
  const reportLater = (): void => {
    if (reporting !== undefined || duty.reportAt === undefined) return
    reporting = setTimeout(() => {
      reporting = undefined
      duty.report()
      reportLater()
    }, duty.reportAt - performance.now())
  }
  const duty = new ReceiverDuty({
    send: (message) => channel.send(message),
    backlog: () => channel.backlog,
    gnupg(descriptor) {
      const sockets = new Socket({ fd: descriptor, readable: true, writable: true })
      const lines = new LossyLines()
      sockets.on('data', (chunk: Buffer) => {
        duty.onGnupg(lines.push(chunk))
        reportLater()
      })
      sockets.on('error', () => {})
      setInterval(() => {
        if (duty.gnupgDeadline !== undefined && duty.gnupgDeadline <= monotonic()) duty.expireGnupg()
        reportLater()
      }, GNUPG_INTERVAL).unref()
      return (request) => void sockets.write(lineOf(request))
    },
    capture(orders) {
      // One for all orders: its sockets are bound together, and before that no packet comes from any of them.
      const ports = orders.flatMap(({ config }) => capturedPorts(config))
      const capture = udpEvents({ ports, maximumPayload: Math.max(...orders.map(({ config }) => config.maxBytes)) })
      const deliver: Parameters<typeof capture.run>[0] = (packets) => {
        duty.look(packets)
        reportLater()
      }
      capture
        .run(deliver, new AbortController().signal, () => duty.ready())
        .catch((error: Error) => {
          giveUp((error.cause as Failure | undefined) ?? { code: 'CAPTURE_FAILED', detail: error.message })
        })
      return [capture]
    },
  })
  channel.send({ type: 'started' })
}
