/** Listening sockets of the relay. */
import { createServer, type Server, type Socket } from 'node:net'
import type { IpAddress } from '../../packet/address.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { systemReason } from '../../system/errno.ts'
import type { Port } from '../../units.ts'
import type { FirewallFailure } from '../firewall.ts'

/** Bytes that a connection may buffer in each direction while its other side is slow. */
export const HELD_BACK = 64 * 1024

/**
 * Connections that the kernel holds until they are accepted. With Node's default of 511, a burst of strangers would
 * drop the connections of others. The kernel limits this to net.core.somaxconn.
 */
const WAITING_IN_KERNEL = 4096

export interface ListenAt {
  /** Absent: every address of the host, of both families. */
  readonly address?: IpAddress
  readonly port: Port
}

/**
 * @param onConnection gets sockets that are not being read yet, so that no byte is lost while the far side is
 * connected.
 * @param onTrouble is told of connections that the system could not hand over, for example for lack of descriptors.
 * @returns FIREWALL_UNAVAILABLE: the port is taken or reserved, or the address is not ours.
 */
export async function listen(
  at: ListenAt,
  onConnection: (socket: Socket) => void,
  onTrouble: (detail: string) => void,
): Promise<Result<Server, FirewallFailure>> {
  const bind = (host: string): Promise<Server | NodeJS.ErrnoException> =>
    new Promise((resolve) => {
      const server = createServer(
        { allowHalfOpen: true, pauseOnConnect: true, noDelay: true, keepAlive: true, highWaterMark: HELD_BACK },
        onConnection,
      )
      server.once('error', resolve)
      server.listen({ host, port: at.port, backlog: WAITING_IN_KERNEL }, () => {
        server.off('error', resolve).on('error', (error) => onTrouble(error.message))
        resolve(server)
      })
    })
  let bound = await bind(at.address ?? '::')
  // A host without IPv6 does not have `::`.
  if (bound instanceof Error && at.address === undefined && bound.code !== 'EADDRINUSE') bound = await bind('0.0.0.0')
  if (!(bound instanceof Error)) return ok(bound)
  const where = at.address === undefined ? `tcp/${at.port}` : `tcp/${at.port} on ${at.address}`
  return refuse('FIREWALL_UNAVAILABLE', `the relay cannot listen on ${where}: ${reasonOf(bound)}`)
}

function reasonOf(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return 'another program listens there'
    case 'EACCES':
      return 'the port is reserved for root; take one above 1023, or lower net.ipv4.ip_unprivileged_port_start'
    case 'EADDRNOTAVAIL':
      return 'the address is not one of this host'
    default:
      return systemReason(error)
  }
}
