/** Delivery by UDP, over IPv4 and IPv6: one datagram per packet (docs/WIRE.md § 9). */
import { createSocket, type Socket } from 'node:dgram'
import { familyOf, type IpAddress, parseSocketAddress } from '../packet/address.ts'
import { ok, refuse } from '../result.ts'
import type { Port } from '../units.ts'
import type { Delivery, Departure, OutgoingPacket } from './delivery.ts'
import { explainError } from './explain-error.ts'

/**
 * Delivery by UDP, over IPv4 and IPv6: one datagram for a packet.
 * @param options `sourcePort`: the port to send from, 1 to 65535; chosen by the system where absent.
 * @returns a delivery whose `send` says which address of this host a packet left from, or `SEND_FAILED` with the
 * system's own code: no route, not permitted, a source port that is in use.
 * @example
 * ```ts
 * import { port, udpDelivery } from 'ghostport'
 * import { parseAddress } from 'ghostport/packet'
 *
 * const address = parseAddress('127.0.0.1')
 * if (!address.ok) throw new Error(address.failure.detail)
 * const sent = await udpDelivery().send({ text: 'x', address: address.value, port: port(62201) })
 * console.log(sent.ok && sent.value.localAddress) // 127.0.0.1
 * ```
 */
export function udpDelivery(options: { readonly sourcePort?: Port } = {}): Delivery {
  return {
    async send(packet) {
      const family = familyOf(packet.address)
      const socket = createSocket({
        type: family === 4 ? 'udp4' : 'udp6',
        // Addresses are never looked up: the default would load the resolver for each packet.
        lookup: (address, _options, callback) => callback(null, address, family),
      })
      try {
        return ok(await sendOn(socket, packet, options.sourcePort))
      } catch (error) {
        return refuse('SEND_FAILED', explainError(error, { ...packet, protocol: 'udp', ...options }))
      } finally {
        socket.close()
      }
    },
  }
}

function sendOn(socket: Socket, packet: OutgoingPacket, sourcePort: Port | undefined): Promise<Departure> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    const connected = (failed?: Error): void => {
      if (failed) {
        reject(failed)
        return
      }
      const localAddress = ownAddress(socket)
      socket.send(packet.text, (error) => {
        if (error) reject(error)
        else resolve({ localAddress, at: performance.now() })
      })
    }
    // Connected, so that the system gives the address that it sends from. A missing route is then known before sending.
    const connect = (): void => socket.connect(packet.port, packet.address, connected)
    if (sourcePort === undefined) connect()
    else socket.bind(sourcePort, connect)
  })
}

function ownAddress(socket: Socket): IpAddress {
  const own = parseSocketAddress(socket.address().address)
  if (!own.ok) throw new Error(own.failure.detail)
  return own.value
}
