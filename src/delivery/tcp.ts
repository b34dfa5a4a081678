/** Delivery over a TCP connection, for servers that have a TCP server (docs/WIRE.md § 9). */
import { connect } from 'node:net'
import type { Milliseconds, Port } from '../units.ts'
import type { Delivery } from './delivery.ts'
import { CONNECT_LIMIT, sendOver } from './stream.ts'

/** How connections are made. */
export interface StreamOptions {
  /** The port to connect from; chosen by the system where absent. */
  readonly sourcePort?: Port
  /** How long a connection may take (5 s where absent). */
  readonly connectLimit?: Milliseconds
}

/**
 * Delivery over TCP: one connection for a packet, closed as soon as the packet has left.
 * @returns a delivery whose `send` is `SEND_FAILED` if no connection could be made, with address, port and cause.
 */
export function tcpDelivery({ sourcePort, connectLimit = CONNECT_LIMIT }: StreamOptions = {}): Delivery {
  const from = sourcePort === undefined ? {} : { localPort: sourcePort }
  return {
    send({ text, address, port }, signal) {
      const socket = connect({ host: address, port, noDelay: true, ...from })
      const target = { address, port, protocol: 'tcp', ...(sourcePort === undefined ? {} : { sourcePort }) }
      return sendOver({ socket, ready: 'connect', text, target, connectLimit, signal })
    },
  }
}
