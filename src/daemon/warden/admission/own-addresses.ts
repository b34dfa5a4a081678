/** The addresses of this host. Policy needs them to recognise requests that lead back to it. */
import { networkInterfaces } from 'node:os'
import { type IpAddress, parseAddress } from '../../../packet/address.ts'

/** The addresses of all interfaces that are up, at this moment. */
export function ownAddresses(): ReadonlySet<IpAddress> {
  const found = new Set<IpAddress>()
  for (const { address } of Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])) {
    const parsed = parseAddress(address)
    if (parsed.ok) found.add(parsed.value)
  }
  return found
}
