/** Whether a scanner sees what a stranger sees, or has a grant itself. Pure. */
import { type IpAddress, networkContains, parseNetwork } from '../packet/address.ts'

/** `granted`: the door is open for it. `unsure`: a router between may give both addresses one face. */
export type Vantage = 'stranger' | 'granted' | 'unsure'

export interface Seat {
  /** Where the scan comes from, and where it goes. */
  readonly source: IpAddress
  readonly target: IpAddress
  /** The address of this host from which the knock goes. */
  readonly knocker: IpAddress
  /** Whom the knock opens for. */
  readonly opensFor: IpAddress | 'packet-source'
  /** `opensFor` is this host, as others see it. */
  readonly isOwn: boolean
  /** The packet may come from another address than this host's: by a proxy, or with a forged source. */
  readonly indirect: boolean
}

export function vantageOf({ source, target, knocker, opensFor, isOwn, indirect }: Seat): Vantage {
  const behindRouter = isPrivate(source) && !isPrivate(target)
  if (opensFor === 'packet-source') {
    if (indirect) return 'unsure'
    if (source === knocker) return 'granted'
    return behindRouter ? 'unsure' : 'stranger'
  }
  if (opensFor === source || (isOwn && source === knocker)) return 'granted'
  if (opensFor.includes(':') !== source.includes(':')) return 'stranger'
  return behindRouter ? 'unsure' : 'stranger'
}

/** RFC 1918, RFC 6598, RFC 4193: often behind a router that gives all of them one address. */
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'].flatMap((text) => {
  const network = parseNetwork(text)
  return network.ok ? [network.value] : []
})

function isPrivate(address: IpAddress): boolean {
  return PRIVATE.some((network) => networkContains(network, address))
}
