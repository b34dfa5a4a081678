/** The sets and maps of our table that hold what is open, with their keys and values in the type names of nftables. */

export type Field = 'ipv4_addr' | 'ipv6_addr' | 'inet_proto' | 'inet_service' | 'mark'

export interface SetShape {
  readonly key: readonly Field[]
  /** For maps. */
  readonly value?: readonly Field[]
  /** Each field of a key may be a range. Such elements go to the kernel as text. */
  readonly ranges?: true
  readonly about: string
}

const way = (address: Field): readonly Field[] => [address, 'inet_proto', 'inet_service']
const post = (address: Field): readonly Field[] => [address, 'inet_proto', address, 'inet_service']

const SETS = {
  accept4: { key: way('ipv4_addr'), about: 'who may reach which public port' },
  accept6: { key: way('ipv6_addr'), about: 'the same for IPv6' },
  redir4: {
    key: way('ipv4_addr'),
    value: ['inet_service'],
    about: 'ghost services: the local port; it is in accept4 too',
  },
  redir6: { key: way('ipv6_addr'), value: ['inet_service'], about: 'the same for IPv6' },
  dnat4: {
    key: way('ipv4_addr'),
    value: ['ipv4_addr', 'inet_service'],
    about: 'inner hosts; the port is in accept4 too',
  },
  dnat6: { key: way('ipv6_addr'), value: ['ipv6_addr', 'inet_service'], about: 'the same for IPv6' },
  fwd4: { key: way('ipv4_addr'), about: 'public ports that lead to another host, and must not end up on this one' },
  fwd6: { key: way('ipv6_addr'), about: 'the same for IPv6' },
  masq4: { key: post('ipv4_addr'), about: 'what the inner host sees as the source: this server' },
  masq6: { key: post('ipv6_addr'), about: 'the same for IPv6' },
  snat4: {
    key: post('ipv4_addr'),
    value: ['ipv4_addr'],
    about: 'what the inner host sees as the source: a given address',
  },
  snat6: { key: post('ipv6_addr'), value: ['ipv6_addr'], about: 'the same for IPv6' },
  transit4: {
    key: ['ipv4_addr', 'ipv4_addr', 'inet_proto', 'inet_service'],
    ranges: true,
    about: 'who may send through this host, to whom',
  },
  transit6: {
    key: ['ipv6_addr', 'ipv6_addr', 'inet_proto', 'inet_service'],
    ranges: true,
    about: 'the same for IPv6',
  },
  divert4: { key: ['ipv4_addr'], value: ['ipv4_addr'], about: 'who is led to an inner host at every port' },
  divert6: { key: ['ipv6_addr'], value: ['ipv6_addr'], about: 'the same for IPv6' },
  every4: { key: ['ipv4_addr'], about: 'the sources in divert4' },
  every6: { key: ['ipv6_addr'], about: 'the same for IPv6' },
  tmasq4: { key: ['ipv4_addr'], about: 'what others see as the source of all that is sent on: this server' },
  tmasq6: { key: ['ipv6_addr'], about: 'the same for IPv6' },
  tsnat4: { key: ['ipv4_addr'], value: ['ipv4_addr'], about: 'what others see as its source: a given address' },
  tsnat6: { key: ['ipv6_addr'], value: ['ipv6_addr'], about: 'the same for IPv6' },
  ledger: { key: ['mark', 'mark'], about: 'which grant opened what, for a ghostport that restarts' },
} as const satisfies Readonly<Record<string, SetShape>>

export type SetName = keyof typeof SETS
export const SET_NAMES = Object.keys(SETS) as readonly SetName[]

/** The sets for TCP connections that are older than the gate. */
const KNOWN = {
  known4: { key: ['ipv4_addr', 'inet_service', 'inet_service'], about: 'TCP connections older than the gate' },
  known6: { key: ['ipv6_addr', 'inet_service', 'inet_service'], about: 'the same for IPv6' },
} as const satisfies Readonly<Record<string, SetShape>>

export type KnownSetName = keyof typeof KNOWN

/** The sets for flows that were ended (`held-flows.ts`), as their services would send. Packets renew the timeouts. */
const HELD = {
  held4: {
    key: ['ipv4_addr', 'inet_proto', 'inet_service', 'ipv4_addr', 'inet_service'],
    about: 'flows that were ended: their services may not begin them again',
  },
  held6: {
    key: ['ipv6_addr', 'inet_proto', 'inet_service', 'ipv6_addr', 'inet_service'],
    about: 'the same for IPv6',
  },
} as const satisfies Readonly<Record<string, SetShape>>

export type HeldSetName = keyof typeof HELD
export const HELD_SET_NAMES = Object.keys(HELD) as readonly HeldSetName[]

export type AnySetName = SetName | KnownSetName | HeldSetName

export function shapeOf(set: AnySetName): SetShape {
  return ALL[set]
}

const ALL: Readonly<Record<AnySetName, SetShape>> = { ...SETS, ...KNOWN, ...HELD }
