/**
 * Under which names a server answers. A page of another site can give its own name our address (DNS rebinding), and
 * then counts as of one origin with us: the browser protects nothing. But its requests carry its name. So the list is
 * exact, and cannot be switched off.
 */
import { type IpAddress, parseAddress } from '../packet/address.ts'
import type { Port } from '../units.ts'

/** A name or address of this server, as visitors type it. */
export interface HostName {
  /** In lower case, an IPv6 address without brackets. */
  readonly name: string
  /** Where visitors use another port than the server listens on: the port of a proxy. Absent: any. */
  readonly port?: Port
}

const NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/

/**
 * Reads the value of a Host header, or an entry of the list: `gate.example`, `192.0.2.1:8443`, `[2001:db8::1]:443`.
 * @returns undefined for anything else.
 */
export function parseHostName(text: string): HostName | undefined {
  const [, six, plain = '', digits] =
    /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([^:[\]]{1,253}))(?::([0-9]{1,5}))?$/.exec(text) ?? []
  const name = six === undefined ? nameOf(plain.toLowerCase()) : addressOf(six)
  if (name === undefined) return undefined
  if (digits === undefined) return { name }
  const port = Number(digits)
  return port >= 1 && port <= 65_535 ? { name, port: port as Port } : undefined
}

function addressOf(text: string): IpAddress | undefined {
  const address = parseAddress(text)
  return address.ok ? address.value : undefined
}

function nameOf(text: string): string | undefined {
  // A number that is no address in the usual spelling (`2130706433`) is one to some resolvers.
  if (/^[0-9.]+$/.test(text)) return addressOf(text)
  return NAME.test(text) ? text : undefined
}

/** @returns the name that a request was sent to, if it is one of ours. */
export function judgeHost(header: string, ours: readonly HostName[]): HostName | undefined {
  const asked = parseHostName(header)
  if (asked === undefined) return undefined
  return ours.some(({ name, port }) => name === asked.name && (port === undefined || port === asked.port))
    ? asked
    : undefined
}
