/**
 * The program that delivers webhooks. It talks to a web server and reads its answers, so it has no privilege: it
 * becomes a user of its own at once. It has no key and no file: each message is signed before it comes here.
 *
 * Started by the executor, with the channel as descriptor 3, and with `--become UID:GID` where that is possible. Or
 * started by systemd for a connection of the executor, as a user of its own (`--from-socket`, link/handover.ts).
 */
import { Socket } from 'node:net'
import { DeliveryQueue } from '../../commands/delivery-queue.ts'
import { SENDER_TITLE } from '../../system/own-process.ts'
import { beginHelper } from '../link/begin-helper.ts'
import { type ChannelEvents, openChannel } from '../link/channel.ts'
import { LONGEST_TO_SENDER, type Post, SENDER_CHANNEL, toSender } from '../link/sender-protocol.ts'
import { type Believed, believe, post } from './post.ts'

async function main(): Promise<void> {
  const { isFromSocket } = await beginHelper(SENDER_TITLE, SENDER_CHANNEL)
  let believed: Believed = {}
  const queue = new DeliveryQueue<Post>(
    (order) => post(order, believed),
    (counts) => channel.send(counts),
  )
  const events: ChannelEvents = {
    onValues: (values) => {
      for (const value of values) {
        const order = toSender(value)
        if (order === undefined) continue
        if ('authorities' in order) believed = believe(order.authorities)
        else queue.push(order.share, order)
      }
    },
    onBroken: () => process.exit(70),
    onEnd: () => process.exit(0),
  }
  const socket = new Socket({ fd: SENDER_CHANNEL, readable: true, writable: true })
  const channel = openChannel(socket, events, LONGEST_TO_SENDER)
  // Only by a message does the executor learn which process this is.
  if (isFromSocket) channel.send({ delivered: 0, failed: 0, dropped: 0 })
}

await main()
