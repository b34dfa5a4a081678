/** What policy would have the firewall open, as the ports of a command cycle. */
import type { IpAddress } from '../packet/address.ts'
import type { CyclePort } from './cycle.ts'
import type { Opening } from './grant.ts'

/** @param source whom it is for. @returns one port for each opening, in order. */
export function cyclePorts(openings: readonly Opening[], source: IpAddress): readonly CyclePort[] {
  return openings.map((opening): CyclePort => {
    const { protocol } = opening
    switch (opening.kind) {
      case 'access':
        return { protocol, port: opening.port }
      case 'ghost': {
        const host = (source.includes(':') ? '::1' : '127.0.0.1') as IpAddress
        return { protocol, port: opening.publicPort, nat: { host, port: opening.localPort } }
      }
      case 'forward': {
        const { address, port } = opening.target
        return { protocol, port: opening.publicPort, nat: { host: address, port } }
      }
      default:
        return opening satisfies never
    }
  })
}
