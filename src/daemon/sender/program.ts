/**
 * The program that delivers webhooks. It talks to a web server and reads its answers, so it has no privilege: it
 * becomes a user of its own at once. It has no key and no file: each message is signed before it comes here.
 *
 * Started by the executor only, with the channel as descriptor 3, and with `--become UID:GID` where that is possible.
 */
import { Socket } from 'node:net'
import { DeliveryQueue } from '../../commands/delivery-queue.ts'
import { becomeUnprivileged, parseBecome } from '../../system/become.ts'
import { SENDER_TITLE, setProcessTitle } from '../../system/own-process.ts'
import { openChannel } from '../link/channel.ts'
import { SENDER_CHANNEL, type ToSender, toSender } from '../link/sender-protocol.ts'
import { post } from './post.ts'

async function main(): Promise<void> {
  setProcessTitle(SENDER_TITLE)
  const become = parseBecome(process.argv)
  if (!become.ok) process.exit(64)
  const unprivileged = await becomeUnprivileged(become.value)
  if (!unprivileged.ok) process.exit(77)
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) process.on(signal, () => {})
  const queue = new DeliveryQueue<ToSender>(post, (counts) => channel.send(counts))
  const channel = openChannel(new Socket({ fd: SENDER_CHANNEL, readable: true, writable: true }), {
    onValues: (values) => {
      for (const value of values) {
        const order = toSender(value)
        if (order !== undefined) queue.push(order)
      }
    },
    onBroken: () => process.exit(70),
    onEnd: () => process.exit(0),
  })
}

await main()
