/** Sends batches to the kernel and reads its answers. The answers are there as soon as a batch is sent. */
import type { TableName } from '../../config/server/firewall-settings.ts'
import { errnoOf, NLMSG_ERROR, readMessages } from '../../system/netlink.ts'
import { encodeBatch } from './batch.ts'
import type { Command } from './commands.ts'
import type { NetfilterSocket } from './netlink.ts'

/** Sequence numbers. libnftables uses the same socket, and counts from 0. */
const FIRST = 0x8000_0000
const LAST = 0xffff_0000

/** What became of a batch. */
export type Answer =
  /** The kernel carried it out. */
  | { readonly kind: 'done' }
  /** The kernel did not take it: it is longer than the socket's buffer. Nothing happened. */
  | { readonly kind: 'not sent' }
  /** It changed nothing, for these reasons. Without a reason, an answer is lost: then it may have changed something. */
  | { readonly kind: 'refused'; readonly errnos: readonly number[] }

export class BatchSocket {
  readonly #socket: NetfilterSocket
  #next = FIRST

  /** @param socket others may use it between two calls. */
  constructor(socket: NetfilterSocket) {
    this.#socket = socket
  }

  carryOut(table: TableName, commands: readonly Command[]): Answer {
    const first = this.#next
    const { bytes, last } = encodeBatch(table, commands, first)
    this.#next = last + 2 < LAST ? last + 2 : FIRST
    if (!this.#socket.send(bytes).ok) return { kind: 'not sent' }

    const errnos: number[] = []
    let [isAcknowledged, isLost] = [false, false]
    while (!isAcknowledged) {
      const received = this.#socket.receive()
      if (!received.ok || received.value === 'empty') break
      if (received.value === 'lost') {
        isLost = true
        continue
      }
      for (const message of readMessages(received.value)) {
        if (message === undefined || message.type !== NLMSG_ERROR) continue
        if (message.sequence < first || message.sequence > last) continue
        const errno = errnoOf(message)
        if (errno !== 0) errnos.push(errno)
        if (message.sequence === last) isAcknowledged = true
      }
    }
    return isAcknowledged && !isLost && errnos.length === 0 ? { kind: 'done' } : { kind: 'refused', errnos }
  }

  close(): void {
    this.#socket.close()
  }
}
