/** The services of this host: sockets that wait for connections or datagrams, and the programs behind them. */
import type { AddressFamily, IpAddress } from '../../packet/address.ts'
import type { Port } from '../../units.ts'
import { type Known, known, whenKnown } from '../known.ts'
import type { Looker } from '../looker.ts'
import { once } from '../once.ts'
import { holdersOf, type Program } from './processes.ts'
import { lookAtSockets } from './socket-table.ts'

export interface Listening {
  readonly protocol: 'tcp' | 'udp'
  /** Of the socket. One on `::` usually takes IPv4 too. */
  readonly family: AddressFamily
  /** `0.0.0.0` and `::`: all addresses. */
  readonly address: IpAddress
  readonly port: Port
  /** Who holds it, by process id. Empty: nobody here, so the kernel itself, or a process of another namespace. */
  readonly programs: Known<readonly Program[]>
}

export const lookAtListening = once((looker: Looker): Known<readonly Listening[]> => {
  const sockets = lookAtSockets(looker)
  if (!sockets.known) return sockets
  // A UDP socket without a port of its own sends only.
  const rows = sockets.value.filter(({ state, local }) => state === 'listening' && local.port !== 0)
  const holders = holdersOf(looker, new Set(rows.map(({ inode }) => inode)))
  return known(
    rows.map(({ protocol, family, local, inode }) => ({
      protocol,
      family,
      address: local.address,
      port: local.port as Port,
      programs: whenKnown(holders, (all) => all.get(inode) ?? []),
    })),
  )
})

/** Whether other hosts can reach it, as far as its address goes. */
export function isForOthers({ address }: Pick<Listening, 'address'>): boolean {
  return address !== '::1' && !address.startsWith('127.')
}
