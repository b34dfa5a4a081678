/** `tcp/22`: what is asked for, in messages, in OPEN_PORTS and on the command line (docs/WIRE.md § 5). */
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { parsePort, port } from '../units.ts'
import type { Protocol, ProtocolPort } from './message.ts'

/** The default UDP port of SPA servers. */
export const STANDARD_SPA_PORT = port(62201)

/** In IP headers, and wherever the kernel has no name for a protocol (IANA). */
export const PROTOCOL_NUMBERS = { tcp: 6, udp: 17 } as const satisfies Record<Protocol, number>

/**
 * Reads `tcp/22` or `udp/53` as in packets. fwknop's code also has `icmp` and `none/0`, but never accepts them.
 * @param text `tcp` or `udp`, in lower case, a slash, and a port from 1 to 65535.
 * @returns the protocol and its port, or `VALUE_INVALID`.
 * @example
 * ```ts
 * import { parseProtocolPort } from 'ghostport/packet'
 *
 * const result = parseProtocolPort('tcp/22')
 * console.log(result.ok && result.value.port) // 22
 * const refused = parseProtocolPort('icmp/8')
 * console.log(refused.ok || refused.failure.code) // VALUE_INVALID
 * ```
 */
export function parseProtocolPort(text: string): Result<ProtocolPort, Failure<'VALUE_INVALID'>> {
  const slash = text.indexOf('/')
  const protocol = slash < 0 ? '' : text.slice(0, slash)
  if (protocol !== 'tcp' && protocol !== 'udp')
    return refuse('VALUE_INVALID', `“${text}” is not a protocol and port, such as tcp/22 or udp/53`)
  const port = parsePort(text.slice(slash + 1))
  if (!port.ok) return refuse('VALUE_INVALID', `“${text}” has no port from 1 to 65535`)
  return ok({ protocol, port: port.value })
}

/**
 * Reads `tcp/22,udp/53`.
 * @param text one or more, with only a comma between them.
 * @returns the protocols and ports, in order, or `VALUE_INVALID`.
 * @example
 * ```ts
 * import { parseProtocolPorts } from 'ghostport/packet'
 *
 * const result = parseProtocolPorts('tcp/22,udp/53')
 * console.log(result.ok && result.value.map(({ protocol }) => protocol)) // tcp,udp
 * const refused = parseProtocolPorts('tcp/22 udp/53')
 * console.log(refused.ok || refused.failure.code) // VALUE_INVALID
 * ```
 */
export function parseProtocolPorts(text: string): Result<readonly ProtocolPort[], Failure<'VALUE_INVALID'>> {
  const ports: ProtocolPort[] = []
  for (const item of text.split(',')) {
    const port = parseProtocolPort(item)
    if (!port.ok) return port
    ports.push(port.value)
  }
  return ok(ports)
}

/**
 * The reverse of {@link parseProtocolPorts}.
 * @param ports at least one.
 * @returns `tcp/22,udp/53`.
 * @example
 * ```ts
 * import { formatProtocolPorts, port } from 'ghostport/packet'
 *
 * console.log(formatProtocolPorts([{ protocol: 'tcp', port: port(22) }])) // tcp/22
 * ```
 */
export function formatProtocolPorts(ports: readonly ProtocolPort[]): string {
  return ports.map(({ protocol, port }) => `${protocol}/${port}`).join(',')
}
