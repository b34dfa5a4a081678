/**
 * How ssh is led to the port and the address that opened, and changed as little as possible otherwise: it should look
 * up the host key under the name that it would have used by itself.
 */
import type { Request } from '../../client/request.ts'
import { familyOf, type IpAddress } from '../../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { Port } from '../../units.ts'
import type { SshConfig } from './ssh-config.ts'

/**
 * The port for ssh, given what the knock opens.
 * @param wanted ssh's own port, and whether the user named it.
 * @returns the user's port where it opens; else the first that opens, if the user named none. With NAT, the public
 * port. `CLI_USAGE` where the user's port does not open.
 */
export function choosePort(
  request: Request,
  wanted: { readonly port: Port; readonly named: boolean },
): Result<Port, Failure<'CLI_USAGE'>> {
  const tcp =
    request.kind === 'command' || request.kind === 'close'
      ? []
      : request.ports.filter(({ protocol }) => protocol === 'tcp')
  const [first] = tcp
  if (request.kind === 'command' || request.kind === 'close' || first === undefined)
    return refuse('CLI_USAGE', 'the knock asks for no TCP port, so ssh has no port to connect to')
  if (request.kind === 'access') {
    if (tcp.some(({ port }) => port === wanted.port)) return ok(wanted.port)
    if (!wanted.named) return ok(first.port)
    const opens = tcp.map(({ port }) => `tcp/${port}`).join(', ')
    const detail = `ssh is told to use port ${wanted.port}, but the knock opens only ${opens}`
    return refuse('CLI_USAGE', detail, { suggestion: `-A tcp/${wanted.port}` })
  }
  const service = request.kind === 'localNatAccess' ? request.localPort : request.target.port
  if (!wanted.named || wanted.port === service || wanted.port === first.port) return ok(first.port)
  const detail = `ssh is told to use port ${wanted.port}, but the knock forwards port ${first.port} to port ${service}`
  return refuse('CLI_USAGE', detail)
}

export interface Opened {
  /** Where the knock went. */
  readonly server: string
  /** All addresses of `server`, of the family that was asked for. */
  readonly addresses: readonly IpAddress[]
  /** The one that opened. */
  readonly address: IpAddress
  readonly port: Port
}

/** The name that ssh is to connect to by itself: the user's own `HostName`, or else the server of the knock. */
export function sshName(host: string, { hostname }: SshConfig, server: string): string {
  return same(hostname, host) ? server : hostname
}

/**
 * @param host as the user wrote it.
 * @param named all addresses of {@link sshName}.
 * @returns options for ssh, before the destination.
 */
export function leadSsh(
  host: string,
  config: SshConfig,
  opened: Opened,
  named: readonly IpAddress[],
): readonly string[] {
  const name = sshName(host, config, opened.server)
  const rename = same(name, host) || same(name, config.hostname) ? [] : ['-o', `HostName=${name}`]
  // The proxy finds its own way; the name is all that it is told.
  if (config.proxied) return rename
  const family = familyOf(opened.address)
  const alike = named.filter((address) => familyOf(address) === family)
  // The name leads nowhere else: it stays, and with it known_hosts, certificates, Match blocks and %h.
  if (alike.length === 1 && alike[0] === opened.address)
    return [...(named.length === 1 ? [] : [`-${family}`]), ...rename]
  const known = opened.port === 22 ? name.toLowerCase() : `[${name.toLowerCase()}]:${opened.port}`
  const alias = config.hostKeyAlias === undefined ? ['-o', `HostKeyAlias=${known}`] : []
  return ['-o', `HostName=${opened.address}`, ...alias]
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}
