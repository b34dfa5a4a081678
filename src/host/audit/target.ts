/** What the audit asks about: each port on which something listens, and a port of each kind on which nothing does. */
import type { IpAddress } from '../../packet/address.ts'
import { type Port, port } from '../../units.ts'
import type { Interface } from '../facts/interfaces.ts'
import { isForOthers, type Listening } from '../facts/listening.ts'

export type Family = 4 | 6

export interface Target {
  readonly family: Family
  readonly protocol: 'tcp' | 'udp'
  readonly port: Port
  /** Where the kernel is asked. Absent: this host has no address of the family. */
  readonly address?: IpAddress
  /** The programs that listen. Empty: not known, or the kernel itself. */
  readonly programs: readonly string[]
  /** False for the port that stands for all others. */
  readonly listening: boolean
}

/** The first port that stands for all others: no service has it by custom. */
const FIRST_SPARE = 47_001

/** In the order in which they are shown. @param listening all sockets of this host. */
export function targetsOf(listening: readonly Listening[], interfaces: readonly Interface[]): readonly Target[] {
  const found = new Map<string, Target>()
  for (const each of listening.filter(isForOthers)) {
    const everywhere = each.address === '0.0.0.0' || each.address === '::'
    // A socket on :: usually takes both families.
    for (const family of everywhere && each.family === 6 ? ([4, 6] as const) : [each.family]) {
      const key = `${family} ${each.protocol} ${each.port}`
      const names = each.programs.known ? each.programs.value.map(({ name }) => name) : []
      const before = found.get(key)
      const address = everywhere ? ownAddress(interfaces, family) : each.address
      found.set(key, {
        ...{ family, protocol: each.protocol, port: each.port, listening: true },
        programs: [...new Set([...(before?.programs ?? []), ...names])],
        ...(before?.address !== undefined || address === undefined
          ? before?.address !== undefined && { address: before.address }
          : { address }),
      })
    }
  }
  const spares = ([4, 6] as const).flatMap((family) =>
    (['tcp', 'udp'] as const).map((protocol): Target => {
      const address = ownAddress(interfaces, family)
      let spare = FIRST_SPARE
      while (listening.some((each) => each.protocol === protocol && each.port === spare)) spare++
      const fixed = { family, protocol, port: port(spare), programs: [], listening: false } as const
      return address === undefined ? fixed : { ...fixed, address }
    }),
  )
  const sorted = [...found.values()].sort(
    (one, other) => one.protocol.localeCompare(other.protocol) || one.port - other.port || one.family - other.family,
  )
  return [...sorted, ...spares]
}

/** One that other hosts can reach: with a default route before one without. */
export function ownAddress(interfaces: readonly Interface[], family: Family): IpAddress | undefined {
  const name = family === 4 ? 'IPv4' : 'IPv6'
  const ordered = [...interfaces].sort(
    (one, other) => Number(other.defaultRoute.includes(name)) - Number(one.defaultRoute.includes(name)),
  )
  return ordered
    .filter((each) => each.name !== 'lo')
    .flatMap(({ addresses }) => addresses.map(({ address }) => address))
    .find((address) => address.includes(':') === (family === 6) && !/^fe80:/.test(address))
}

export function targetKey({ family, protocol, port }: Pick<Target, 'family' | 'protocol' | 'port'>): string {
  return `${family} ${protocol} ${port}`
}
