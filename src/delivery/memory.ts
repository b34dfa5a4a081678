/** Delivery into a list: for programs that carry packets in their own way, and for tests. */
import { addressFromBytes, familyOf } from '../packet/address.ts'
import { ok } from '../result.ts'
import type { Delivery, OutgoingPacket } from './delivery.ts'

/**
 * Delivery into a list: for programs that carry packets on their own ways, and for tests.
 * @returns a delivery, and the packets it was given, in order.
 * @example
 * ```ts
 * import { memoryDelivery, port } from 'ghostport'
 * import { parseAddress } from 'ghostport/packet'
 *
 * const address = parseAddress('192.0.2.10')
 * if (!address.ok) throw new Error(address.failure.detail)
 * const delivery = memoryDelivery()
 * await delivery.send({ text: 'the text of a packet', address: address.value, port: port(62201) })
 * console.log(delivery.packets.map(({ text }) => text)) // the text of a packet
 * ```
 */
export function memoryDelivery(): Delivery & { readonly packets: readonly OutgoingPacket[] } {
  const packets: OutgoingPacket[] = []
  return {
    packets,
    async send(packet) {
      packets.push(packet)
      const loopback = new Uint8Array(16)
      loopback[15] = 1
      const localAddress = familyOf(packet.address) === 4 ? Uint8Array.of(127, 0, 0, 1) : loopback
      return ok({ localAddress: addressFromBytes(localAddress), at: performance.now() })
    },
  }
}
