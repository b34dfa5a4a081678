/** `tcp/22`: what is asked for, in messages, in OPEN_PORTS and on the command line (docs/WIRE.md § 5). */
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { parsePort, port } from '../units.ts'
import type { ProtocolPort } from './message.ts'

/** The UDP port that servers expect packets at, where nobody names another. */
export const STANDARD_SPA_PORT = port(62201)

/** Reads `tcp/22` or `udp/53` as packets have it: in lower case. fwknop's code knows `icmp` and `none/0` too, but can never pass them. */
export function parseProtocolPort(text: string): Result<ProtocolPort, Failure<'VALUE_INVALID'>> {
  const slash = text.indexOf('/')
  const protocol = slash < 0 ? '' : text.slice(0, slash)
  if (protocol !== 'tcp' && protocol !== 'udp')
    return refuse('VALUE_INVALID', `“${text}” is not a protocol and port, such as tcp/22 or udp/53`)
  const port = parsePort(text.slice(slash + 1))
  if (!port.ok) return refuse('VALUE_INVALID', `“${text}” names no port from 1 to 65535`)
  return ok({ protocol, port: port.value })
}

/** Reads `tcp/22,udp/53`: one or more, with nothing but a comma between them. */
export function parseProtocolPorts(text: string): Result<readonly ProtocolPort[], Failure<'VALUE_INVALID'>> {
  const ports: ProtocolPort[] = []
  for (const item of text.split(',')) {
    const port = parseProtocolPort(item)
    if (!port.ok) return port
    ports.push(port.value)
  }
  return ok(ports)
}

/** `tcp/22,udp/53`. */
export function formatProtocolPorts(ports: readonly ProtocolPort[]): string {
  return ports.map(({ protocol, port }) => `${protocol}/${port}`).join(',')
}
