/** Delivery into a list: for programs that carry packets on their own ways, and for tests. */
import { addressFromBytes, familyOf } from '../packet/address.ts'
import { ok } from '../result.ts'
import type { Delivery, OutgoingPacket } from './delivery.ts'

/** @returns a delivery, and the packets it was given, in order. */
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
