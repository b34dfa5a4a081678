/**
 * Notices every change that other programs make to our table, and to the rules of other tables. A filter in the kernel
 * drops our own transactions, so a busy server costs nothing here. Between events, one thread of libuv's pool sleeps in
 * poll(2).
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { TableName } from '../../config/server/firewall-settings.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { PollSet } from '../../system/poll-set.ts'
import { Waker } from '../../system/waker.ts'
import { milliseconds } from '../../units.ts'
import type { ForeignChange } from '../firewall.ts'
import { type Called, NetfilterSocket } from './netlink.ts'
import { NotificationReader } from './notification.ts'

/** How long to wait for the rest of what the kernel tells. */
const REST_PAUSE = milliseconds(2)

export interface Watch {
  close(): void
}

export interface Listeners {
  /** Called once for all changes that were waiting. */
  ours(change: ForeignChange): void
  /** Likewise. Elements of sets are not reported, because blocklists change them all the time. */
  others(): void
}

/** @param ignoring the port ids of our own sockets. */
export function watchTable(
  table: TableName,
  ignoring: ReadonlySet<number>,
  listeners: Listeners,
): Result<Watch, Failure<'FIREWALL_UNAVAILABLE'>> {
  const opened = openBoth(ignoring)
  if (!opened.ok) return refuse('FIREWALL_UNAVAILABLE', `nftables cannot be watched: ${opened.failure}`)
  const { socket, waker } = opened.value
  const waiting = new PollSet([socket.fd, waker.fd])

  const reader = new NotificationReader(table)
  let open = true
  const drain = (): void => {
    for (;;) {
      const received = socket.receive()
      if (!received.ok || received.value === 'empty') return
      if (received.value === 'lost') reader.lost()
      else reader.read(received.value)
    }
  }
  /** Whether there may be something to read; false if waiting is not possible any more. */
  const isReady = (): Promise<boolean> =>
    waiting.waitAside().then(
      () => !waiting.isClosed(0),
      () => false,
    )
  const listen = async (): Promise<void> => {
    while (open) {
      if (!(await isReady()) || !open) break
      drain()
      if (reader.isMidway) {
        // The kernel is still sending. This waits a moment only: the missing end is needed for the log alone.
        await delay(REST_PAUSE)
        if (!open) break
        drain()
      }
      const change = reader.take()
      if (change !== undefined) listeners.ours(change)
      if (reader.takeOthers()) listeners.others()
    }
    process.off('exit', wake)
    socket.close()
    waker.close()
  }
  // Node joins its thread pool before it exits. A thread that sleeps for ever would prevent that.
  const wake = (): void => waker.wake()
  process.on('exit', wake)
  void listen()

  return ok({
    close: () => {
      if (!open) return
      open = false
      wake()
    },
  })
}

function openBoth(ignoring: ReadonlySet<number>): Called<{ readonly socket: NetfilterSocket; readonly waker: Waker }> {
  const socket = NetfilterSocket.open()
  if (!socket.ok) return socket
  const subscribed = socket.value.subscribe(ignoring)
  try {
    if (subscribed.ok) return { ok: true, value: { socket: socket.value, waker: new Waker() } }
    socket.value.close()
    return subscribed
  } catch (error) {
    socket.value.close()
    return { ok: false, failure: (error as Error).message }
  }
}
