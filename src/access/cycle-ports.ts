/** What policy would have the firewall open, as the ports of a command cycle. */
import type { IpAddress } from '../packet/address.ts'
import type { CyclePort } from './cycle.ts'
import type { Opening } from './grant.ts'

/**
 * @param source whom it is for.
 * @returns one port for each opening, in order. None for a way without a port; access.conf has no cycle then.
 */
export function cyclePorts(openings: readonly Opening[], source: IpAddress): readonly CyclePort[] {
  return openings.flatMap((opening): readonly CyclePort[] => {
    switch (opening.kind) {
      case 'access':
        return [{ protocol: opening.protocol, port: opening.port }]
      case 'ghost': {
        const { protocol, publicPort, localPort } = opening
        const host = (source.includes(':') ? '::1' : '127.0.0.1') as IpAddress
        return [{ protocol, port: publicPort, nat: { host, port: localPort } }]
      }
      case 'forward': {
        const { protocol, publicPort, target } = opening
        return [{ protocol, port: publicPort, nat: { host: target.address, port: target.port } }]
      }
      // DISABLE_DNAT: one inner host, at its own port.
      case 'transit':
        return opening.to.flatMap(({ protocol, network, ports }) =>
          protocol === undefined
            ? []
            : [{ protocol, port: ports.first, nat: { host: network.prefix, port: ports.first } }],
        )
      case 'divert':
        return []
      default:
        return opening satisfies never
    }
  })
}
