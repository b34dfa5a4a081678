/** The network interfaces of this host, their addresses, and those with a default route. */
import { parseDeviceList } from '../../daemon/warden/interfaces.ts'
import { type Known, known, notKnown } from '../known.ts'
import type { InterfaceAddress, Looker } from '../looker.ts'

export interface Interface {
  readonly name: string
  /** Of both families. Empty if it is down or has none. */
  readonly addresses: readonly Omit<InterfaceAddress, 'interface' | 'hardware'>[]
  /** The families whose default route goes through it. */
  readonly defaultRoute: readonly ('IPv4' | 'IPv6')[]
}

export function lookAtInterfaces(looker: Looker): Known<readonly Interface[]> {
  const devices = looker.read('/proc/self/net/dev')
  const addresses = looker.addresses()
  const [four, six] = [looker.read('/proc/self/net/route'), looker.read('/proc/self/net/ipv6_route')]
  for (const fact of [devices, addresses, four, six]) if (!fact.known) return fact
  if (!devices.known || devices.value === undefined) return notKnown('the kernel does not list its interfaces')
  const routes = {
    IPv4: parseDefaultRoutes(four.known ? (four.value ?? '') : ''),
    // Absent where the kernel has no IPv6.
    IPv6: parseDefaultRoutes6(six.known ? (six.value ?? '') : ''),
  }
  return known(
    parseDeviceList(devices.value).map((name) => ({
      name,
      addresses: (addresses.known ? addresses.value : [])
        .filter((each) => each.interface === name)
        .map(({ address, prefixLength }) => ({ address, prefixLength })),
      defaultRoute: (['IPv4', 'IPv6'] as const).filter((family) => routes[family].includes(name)),
    })),
  )
}

// linux/route.h and linux/ipv6_route.h
const RTF_UP = 1
const RTF_REJECT = 0x200

/** @param text of /proc/net/route: a heading, then columns: interface, destination, gateway, flags, …, mask (8th). */
export function parseDefaultRoutes(text: string): readonly string[] {
  const found = text.split('\n').flatMap((line) => {
    const [name = '', destination, , flags = '', , , , mask] = line.trim().split(/\s+/)
    const isDefault = destination === '00000000' && mask === '00000000' && isUsable(flags)
    return isDefault ? [name] : []
  })
  return [...new Set(found)]
}

/**
 * @param text of /proc/net/ipv6_route, without a heading. Columns: destination, its prefix length, …, flags (9th),
 * interface (10th).
 */
export function parseDefaultRoutes6(text: string): readonly string[] {
  const found = text.split('\n').flatMap((line) => {
    const [destination = '', length, , , , , , , flags = '', name = ''] = line.trim().split(/\s+/)
    return /^0{32}$/.test(destination) && length === '00' && isUsable(flags) && name !== 'lo' ? [name] : []
  })
  return [...new Set(found)]
}

function isUsable(flags: string): boolean {
  const bits = Number.parseInt(flags, 16)
  return (bits & RTF_UP) !== 0 && (bits & RTF_REJECT) === 0
}
