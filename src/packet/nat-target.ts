/** Where a NAT request leads: an address or a name, and a port (docs/WIRE.md § 5). */
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { type IpAddress, parseAddress } from './address.ts'
import type { HostName } from './message.ts'
import { type PacketFailure, refuseByRule } from './strictness.ts'

/**
 * Labels of letters, digits and hyphens, without a hyphen at either end. At most 254 characters in all, as fwknopd
 * checks.
 */
const LABEL = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/
const MAX_NAME_LENGTH = 254

/**
 * Reads an address, or else a host name. Resolves nothing.
 * @param text an IPv4 or IPv6 address, or a name as for {@link parseHostName}.
 * @returns the address or the name, or `VALUE_INVALID`.
 * @example
 * ```ts
 * import { parseNatHost } from 'ghostport/packet'
 *
 * const result = parseNatHost('10.0.0.5')
 * console.log(result.ok && result.value) // 10.0.0.5
 * const refused = parseNatHost('10.0.1')
 * console.log(refused.ok || refused.failure.code) // VALUE_INVALID
 * ```
 */
export function parseNatHost(text: string): Result<IpAddress | HostName, PacketFailure<'VALUE_INVALID'>> {
  const address = parseAddress(text)
  return address.ok ? address : parseHostName(text)
}

/**
 * Reads a host name. It must not end in a number: `10.0.1` would be resolved as the address 10.0.0.1.
 * @param text labels of letters, digits and hyphens, at most 254 characters in all.
 * @returns the name, not resolved, or `VALUE_INVALID`.
 * @example
 * ```ts
 * import { parseHostName } from 'ghostport/packet'
 *
 * const result = parseHostName('web.lan')
 * console.log(result.ok && result.value.name) // web.lan
 * const refused = parseHostName('web_lan')
 * console.log(refused.ok || refused.failure.code) // VALUE_INVALID
 * ```
 */
export function parseHostName(text: string): Result<HostName, PacketFailure<'VALUE_INVALID'>> {
  const labels = (text.endsWith('.') ? text.slice(0, -1) : text).split('.')
  if (text.length > MAX_NAME_LENGTH || !labels.every((label) => LABEL.test(label))) return notAName(text)
  if (/^([0-9]+|0[xX][0-9a-fA-F]*)$/.test(labels.at(-1) ?? ''))
    return refuseByRule('VALUE_INVALID', 'host-name', `“${text}” is neither an address nor a host name`)
  return ok({ name: text })
}

/**
 * @param host as {@link parseNatHost} makes it.
 * @returns whether it is a name, and not an address.
 * @example
 * ```ts
 * import { isHostName, parseNatHost } from 'ghostport/packet'
 *
 * const host = parseNatHost('web.lan')
 * console.log(host.ok && isHostName(host.value)) // true
 * ```
 */
export function isHostName(host: IpAddress | HostName): host is HostName {
  return typeof host === 'object'
}

function notAName(text: string): Result<never, Failure<'VALUE_INVALID'>> {
  return refuse('VALUE_INVALID', `“${text}” is neither an address nor a host name`)
}
