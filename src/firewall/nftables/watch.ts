/**
 * Hears of every change that somebody else makes to our table, and to the rules of other tables. Our own transactions are dropped by a filter in the
 * kernel, so a busy server costs nothing here; between events, one thread of libuv's pool sleeps in poll(2).
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { TableName } from '../../config/server/firewall-settings.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { ForeignChange } from '../firewall.ts'
import { netlinkCalls } from './netlink.ts'
import { NotificationReader } from './notification.ts'

/** In milliseconds. */
const PATIENCE = 2

export interface Watch {
  close(): void
}

export interface Listeners {
  /** Called once for all that waited to be heard together. */
  ours(change: ForeignChange): void
  /** Likewise. Elements of sets, which blocklists change all the time, are not told of. */
  others(): void
}

/** @param ignoring the port ids of our own sockets. */
export function watchTable(
  table: TableName,
  ignoring: ReadonlySet<number>,
  listeners: Listeners,
): Result<Watch, Failure<'FIREWALL_UNAVAILABLE'>> {
  const calls = netlinkCalls()
  const socket = calls.openNetfilter()
  if (!socket.ok) return refuse('FIREWALL_UNAVAILABLE', `nftables cannot be watched: ${socket.failure}`)
  const subscribed = calls.subscribe(socket.value, ignoring)
  const waker = calls.openWaker()
  if (!subscribed.ok || !waker.ok) {
    calls.close(socket.value)
    const why = !subscribed.ok ? subscribed.failure : !waker.ok ? waker.failure : ''
    return refuse('FIREWALL_UNAVAILABLE', `nftables cannot be watched: ${why}`)
  }

  const reader = new NotificationReader(table)
  let open = true
  const drain = (): void => {
    for (;;) {
      const received = calls.receive(socket.value)
      if (!received.ok || received.value === 'empty') return
      if (received.value === 'lost') reader.lost()
      else reader.read(received.value)
    }
  }
  const listen = async (): Promise<void> => {
    while (open) {
      const waited = await calls.wait(socket.value, waker.value)
      if (!open || !waited.ok) break
      drain()
      if (reader.isMidway) {
        // The kernel is still telling. A moment's patience, not a promise: what the end would tell is for the log only.
        await delay(PATIENCE)
        if (!open) break
        drain()
      }
      const change = reader.take()
      if (change !== undefined) listeners.ours(change)
      if (reader.takeOthers()) listeners.others()
    }
    process.off('exit', wake)
    calls.close(socket.value)
    calls.close(waker.value)
  }
  // Node joins its pool before it exits; a thread that sleeps for ever would keep it from ending.
  const wake = (): void => calls.wake(waker.value)
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
