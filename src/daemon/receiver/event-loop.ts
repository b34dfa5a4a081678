/** The loop of a receiver that opens its own UDP sockets: Node's event loop, on each system that Node runs on. */
import { Socket } from 'node:net'
import { udpEvents } from '../../capture/udp/udp-events.ts'
import type { Failure } from '../../result.ts'
import { openChannel } from '../link/channel.ts'
import type { ToReceiver } from '../link/protocol.ts'
import { type GiveUp, ReceiverDuty } from './duty.ts'
import { channelBroke, WARDEN_ENDED } from './warden-gone.ts'

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
    capture(orders) {
      // One for all orders: its sockets are bound together, and before that no packet comes from any of them.
      const ports = orders.flatMap(({ config }) => config.ports)
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
