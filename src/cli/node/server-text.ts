/** The address of a node on a command line: `host`, `host:62202`, `[2001:db8::1]:62202`. */
import { readClientSetting } from '../../config/client/fwknoprc-settings.ts'
import { formatHostPort } from '../../packet/address.ts'
import { isHostName } from '../../packet/nat-target.ts'
import { ok, type Result, refuse } from '../../result.ts'
import type { Port } from '../../units.ts'

export interface ServerAt {
  /** A name or an address. */
  readonly server: string
  readonly port?: Port
}

export function describeServer({ server, port }: ServerAt): string {
  return port === undefined ? server : formatHostPort(server, port)
}

/** The same forms, and a bare IPv6 address. */
export function parseServer(text: string): Result<ServerAt> {
  const read = readClientSetting('NAT_ACCESS', text)
  const target = read.ok ? read.value.natAccess : undefined
  if (!target) {
    const shown = text.slice(0, 80)
    return refuse('VALUE_INVALID', `--server: “${shown}” is not HOST or HOST:PORT, such as web-1.example.org:62201`)
  }
  const server = isHostName(target.host) ? target.host.name : target.host
  return ok({ server, ...(target.port !== undefined && { port: target.port }) })
}
