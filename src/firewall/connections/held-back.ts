/** Flows that were ended, and whose services may not begin them again: what both firewalls of the kernel share. */

import { type Result, refuse } from '../../result.ts'
import { milliseconds } from '../../units.ts'
import type { FirewallFailure } from '../firewall.ts'
import { TCP, type Tracked, UDP } from './tracked.ts'

/** How long a service must be silent until it may begin again. */
export const HELD_TIME = milliseconds(86_400_000)

/** A flow of a protocol with ports. No other can be held back. */
export type PortedFlow = Pick<Tracked, 'protocol' | 'reply'>

export function withPorts(flows: readonly PortedFlow[]): readonly PortedFlow[] {
  return flows.filter(({ protocol }) => isPorted(protocol))
}

export function isPorted(protocol: number): boolean {
  return protocol === TCP || protocol === UDP
}

/** @param left how many flows have no place. They have ended all the same. */
export function notHeldBack(left: number): Result<never, FirewallFailure> {
  return refuse(
    'FIREWALL_FULL',
    `${left} flows have ended, but may begin again if their services send: the firewall has no place to hold so many back`,
    {
      suggestion: 'end the sessions in the services too',
    },
  )
}
