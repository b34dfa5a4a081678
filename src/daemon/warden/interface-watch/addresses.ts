/**
 * Whether the addresses of this host have changed between two looks, and which settings name one that is gone. Pure.
 * ghostport itself follows each change: it asks for addresses when it needs them. Settings and clients do not.
 */
import type { Policy } from '../../../access/policy.ts'
import { describeStanza } from '../../../access/stanza-name.ts'
import type { ServerConfig } from '../../../config/server/server-config.ts'
import type { LogField } from '../../../log.ts'
import { familyOf, type IpAddress } from '../../../packet/address.ts'
import type { Condition } from './conditions.ts'

/** Addresses that other hosts can send to, and the name of the interface of each. */
export type AddressLook = ReadonlyMap<IpAddress, string>

/** How many addresses and settings one line names. A host with containers may change hundreds at once. */
const MOST_TOLD = 8

export interface AddressChanges {
  readonly added: readonly IpAddress[]
  readonly removed: readonly IpAddress[]
}

export function addressChanges(before: AddressLook, now: AddressLook): AddressChanges {
  return {
    added: [...now.keys()].filter((address) => !before.has(address)),
    removed: [...before.keys()].filter((address) => !now.has(address)),
  }
}

/** The fields of the line `addresses`. @param settings that name an address which is gone. */
export function addressFields(
  { added, removed }: AddressChanges,
  before: AddressLook,
  now: AddressLook,
  settings: readonly string[],
): { readonly [name: string]: LogField } {
  const told = (addresses: readonly IpAddress[], names: AddressLook): readonly string[] =>
    addresses.slice(0, MOST_TOLD).map((address) => `${address} ${names.get(address) ?? ''}`.trimEnd())
  const more = [added, removed, settings].reduce((sum, list) => sum + Math.max(0, list.length - MOST_TOLD), 0)
  return {
    ...(added.length > 0 && { added: told(added, now) }),
    ...(removed.length > 0 && { removed: told(removed, before) }),
    ...(settings.length > 0 && { stillNamedBy: settings.slice(0, MOST_TOLD) }),
    ...(more > 0 && { more }),
  }
}

/** The settings that name one of these addresses of this host. They have no effect until they name another. */
export function settingsThatName(
  gone: readonly IpAddress[],
  { firewall }: Pick<ServerConfig, 'firewall'>,
  { stanzas, nat }: Pick<Policy, 'stanzas' | 'nat'>,
): readonly string[] {
  if (gone.length === 0) return []
  const isGone = new Set(gone)
  const { translation } = nat
  return [
    ...(typeof translation === 'object' && isGone.has(translation.snat) ? ['SNAT_TRANSLATE_IP'] : []),
    ...(firewall.kind === 'relay'
      ? firewall.listeners.flatMap(({ address, port }) =>
          address !== undefined && isGone.has(address) ? [`RELAY ${address}:${port}`] : [],
        )
      : []),
    ...stanzas.flatMap(({ name, destinations, forceTranslation, forceNat }, i) => {
      const isNamed = (setting: string, addresses: readonly IpAddress[]): readonly string[] =>
        addresses.some((address) => isGone.has(address)) ? [`${setting} of ${describeStanza(i + 1, name)}`] : []
      const hosts = destinations === 'any' ? [] : destinations.filter(({ prefix, length }) => length === bitsOf(prefix))
      return [
        ...isNamed(
          'DESTINATION',
          hosts.map(({ prefix }) => prefix),
        ),
        ...isNamed('FORCE_SNAT', typeof forceTranslation === 'object' ? [forceTranslation.snat] : []),
        ...isNamed('FORCE_NAT', forceNat === undefined ? [] : [forceNat.address]),
      ]
    }),
  ]
}

function bitsOf(address: IpAddress): number {
  return familyOf(address) === 4 ? 32 : 128
}

/**
 * Which interfaces have lost their last address: they have none now, and had one before. One that never had any may be
 * meant so.
 * @param had the names that had an address since the start. Those that have one now are added to it.
 */
export function withoutAddress(
  names: 'any' | readonly string[],
  now: AddressLook,
  had: Set<string>,
): readonly Condition[] {
  const having = new Set(names === 'any' ? (now.size > 0 ? ['any'] : []) : now.values())
  for (const name of having) had.add(name)
  const lost = (names === 'any' ? ['any'] : names).filter((name) => had.has(name) && !having.has(name))
  return lost.map((name) => ({
    code: 'INTF_NO_ADDRESS',
    level: 'warning',
    interface: name,
    text:
      name === 'any'
        ? 'this host has no address any more, so no knock can be sent to it'
        : `the interface “${name}” has no address any more, so no knock can be sent to it`,
    cure: 'look at the DHCP client or at the program that dials in: “ip address” shows the addresses of this host',
  }))
}
