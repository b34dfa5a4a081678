/** Why a packet did not leave: the host, the port and the cause, in the user's words. */
import { familyOf, type IpAddress } from '../packet/address.ts'
import { errorCode, systemReason } from '../system/errno.ts'
import type { Port } from '../units.ts'

/** Where a packet was to go. */
export interface Target {
  readonly address: IpAddress
  /** Absent: the protocol has no ports. */
  readonly port?: Port
  /** `udp`, `tcp`, `icmp`. */
  readonly protocol: string
  readonly sourcePort?: Port
  /** What stands at the target, if it is not the server: `the proxy`. */
  readonly role?: string
}

/** `192.0.2.1 port 62201/udp`, `192.0.2.1 by icmp`. */
export function describeTarget({ address, port, protocol, role }: Target): string {
  const where = port === undefined ? `${address} by ${protocol}` : `${address} port ${port}/${protocol}`
  return role === undefined ? where : `${role} ${where}`
}

/** @param error as the system gave it: it has a `code`. @returns `192.0.2.1 port 62201/udp: no route (ENETUNREACH)`. */
export function explainError(error: unknown, target: Target): string {
  return `${describeTarget(target)}: ${causeOf(error, target)}`
}

function causeOf(error: unknown, { address, sourcePort }: Target): string {
  const code = errorCode(error) ?? systemReason(error)
  switch (code) {
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
      return `this host has no IPv${familyOf(address)} route there (${code})`
    case 'EHOSTUNREACH':
      return `the host is not reachable (${code})`
    case 'EPERM':
      return `this host’s own firewall does not let the packet out (${code})`
    case 'EACCES':
      return sourcePort !== undefined && sourcePort < 1024
        ? `source port ${sourcePort} needs privilege (${code})`
        : `not allowed (${code})`
    case 'EADDRINUSE':
      return `source port ${sourcePort ?? '?'} is in use (${code})`
    case 'ECONNREFUSED':
      return `nothing accepts connections there (${code})`
    case 'ECONNRESET':
      return `the connection was reset (${code})`
    case 'ETIMEDOUT':
      return `there is no answer (${code})`
    default:
      return code
  }
}
