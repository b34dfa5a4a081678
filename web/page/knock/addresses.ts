/** Which address to open for: what echo points say, and whether to believe it. Pure. */
import {
  type AddressFamily,
  familyOf,
  type IpAddress,
  networkContains,
  parseNetwork,
} from '../../../src/packet/address.ts'
import { isPrivate } from '../../../src/packet/address-kinds.ts'
import type { Echo } from './gateway.ts'

/** What is known of the address of one family. */
export interface SeenAddress {
  readonly family: AddressFamily
  readonly address: IpAddress
  /** The echo points that say so. */
  readonly from: readonly string[]
  /** What others say. */
  readonly others: readonly Echo[]
  /** Whose relay it looks like, and not the address of this device. */
  readonly relay?: string
  readonly isPrivate: boolean
}

/** The address that most echo points say, for each family of which any is known. Two hosts are two voices. */
export function judgeEchoes(echoes: readonly Echo[]): readonly SeenAddress[] {
  return ([4, 6] as const).flatMap((family) => {
    const ofFamily = echoes.filter(({ address }) => familyOf(address) === family)
    const voices = new Map<IpAddress, Set<string>>()
    for (const { address, from } of ofFamily)
      voices.set(address, (voices.get(address) ?? new Set()).add(new URL(from).host))
    const [most] = [...voices].sort(([, a], [, b]) => b.size - a.size)
    if (most === undefined) return []
    const [address, from] = most
    const relay = relayOf(address)
    const others = ofFamily.filter((it) => it.address !== address)
    return [
      {
        family,
        address,
        from: [...from],
        others,
        isPrivate: isPrivate(address),
        ...(relay !== undefined && { relay }),
      },
    ]
  })
}

/** Whether two independent echo points agree, and none says otherwise. */
export function isConfirmed({ from, others }: SeenAddress): boolean {
  return from.length >= 2 && others.length === 0
}

/**
 * Networks from which relays go out that carry a browser and no other program: iCloud Private Relay and its partners,
 * and Cloudflare WARP. Whole blocks, since the published list has a quarter of a million entries and changes daily. So
 * this is a hint, and the page says “looks like”.
 */
const RELAYS: readonly (readonly [network: string, name: string])[] = [
  ['104.28.0.0/15', 'iCloud Private Relay or Cloudflare WARP'],
  ['172.224.0.0/12', 'iCloud Private Relay'],
  ['146.75.0.0/16', 'iCloud Private Relay'],
  ['140.248.0.0/16', 'iCloud Private Relay'],
  ['2a02:26f7::/32', 'iCloud Private Relay'],
  ['2a04:4e41::/32', 'iCloud Private Relay'],
  ['2a09:bac0::/29', 'iCloud Private Relay or Cloudflare WARP'],
]

export function relayOf(address: IpAddress): string | undefined {
  return RELAYS.find(([text]) => {
    const network = parseNetwork(text)
    return network.ok && networkContains(network.value, address)
  })?.[1]
}
