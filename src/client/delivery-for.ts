/** Which way packets leave, by SPA_SERVER_PROTO and what goes with it. A way that is not UDP is loaded only here. */
import type { ClientSettings } from '../config/client/layer.ts'
import type { Delivery } from '../delivery/delivery.ts'
import { udpDelivery } from '../delivery/udp.ts'

/** @param settings of which the transport counts, and what belongs to it. */
export async function deliveryFor({ sourcePort }: ClientSettings): Promise<Delivery> {
  return udpDelivery(sourcePort === undefined ? {} : { sourcePort })
}
