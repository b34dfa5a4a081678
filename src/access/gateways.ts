/**
 * Packets that come through a gateway (GATEWAY_ADDRESSES): a host that passes on what browsers seal. The address that
 * such a packet comes from is the gateway's own. A gateway may hold a packet back, so its packets have a shorter time.
 */
import type { IpAddress, Network } from '../packet/address.ts'
import type { Seconds } from '../units.ts'
import { isAmong } from './matching.ts'

export interface Gateways {
  /** GATEWAY_ADDRESSES: at least one. */
  readonly networks: readonly Network[]
  /** GATEWAY_MAX_SPA_PACKET_AGE: never more than MAX_SPA_PACKET_AGE. */
  readonly maxAge: Seconds | 'unlimited'
  /** GATEWAY_RECEIPTS: the sender of a packet learns its verdict (docs/WIRE.md § 16). */
  readonly receipts?: true
}

/** @returns the rules for packets of gateways, if a packet from this address is one. */
export function gatewayRules({ gateways }: { readonly gateways?: Gateways }, source: IpAddress): Gateways | undefined {
  return gateways !== undefined && isAmong(gateways.networks, source) ? gateways : undefined
}

/** How far the time of a packet from this address may be from this host's. */
export function maxAgeFrom(
  policy: { readonly gateways?: Gateways } & Pick<Gateways, 'maxAge'>,
  source: IpAddress,
): Gateways['maxAge'] {
  return gatewayRules(policy, source)?.maxAge ?? policy.maxAge
}
