/** Where a source may send through this host: NAT_TARGETS as targets without overlaps, which the kernel’s sets need. */
import { type AddressFamily, familyOf, type IpAddress, networkContains } from '../packet/address.ts'
import { isLoopback } from '../packet/address-kinds.ts'
import { type Port, type PortRange, port } from '../units.ts'
import type { TransitTarget } from './grant.ts'
import type { NatTargetRule } from './stanza.ts'

const EVERY_PORT: PortRange = { first: port(1), last: port(65_535) }

/**
 * @param rules NAT_TARGETS; absent: anywhere. Its word `local` is for ghost services, and no other host.
 * @returns none where no rule is for this family.
 */
export function transitTargets(
  rules: readonly NatTargetRule[] | undefined,
  family: AddressFamily,
): readonly TransitTarget[] {
  if (rules === undefined) {
    const network = { prefix: (family === 4 ? '0.0.0.0' : '::') as IpAddress, length: 0 }
    return [{ network, ports: EVERY_PORT }]
  }
  const ofFamily = rules.filter(({ network: { prefix } }) => familyOf(prefix) === family && !isLoopback(prefix))
  // Two networks are apart, or the one with the shorter mask contains the other.
  const widestFirst = ofFamily.toSorted((one, other) => one.network.length - other.network.length)
  const disjoint: TransitTarget[] = []
  for (const { network, ports } of widestFirst) {
    const around = disjoint.filter((one) => networkContains(one.network, network.prefix))
    let left: readonly PortRange[] = [ports]
    for (const one of around) left = left.flatMap((range) => without(range, one.ports))
    disjoint.push(...left.map((range) => ({ network, ports: range })))
  }
  return disjoint
}

function without(range: PortRange, taken: PortRange): readonly PortRange[] {
  if (taken.last < range.first || range.last < taken.first) return [range]
  const left: PortRange[] = []
  if (range.first < taken.first) left.push({ first: range.first, last: (taken.first - 1) as Port })
  if (taken.last < range.last) left.push({ first: (taken.last + 1) as Port, last: range.last })
  return left
}
