/** Server names → addresses. */
import type { LookupAddress } from 'node:dns'
import { type AddressFamily, familyOf, type IpAddress, parseAddress } from '../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'

/** No server has more addresses than this. If a name has more, only the first ones get packets. */
const MAX_ADDRESSES = 8

/**
 * @param host a name, or an address (IPv6 also in brackets).
 * @param family take addresses of this family only.
 * @returns every address of the host, once each, at least one. A packet goes to each: the connection may use any of
 * them, and a door that is open over IPv4 is not open over IPv6. `NAME_UNRESOLVED` otherwise.
 */
export type Resolve = (
  host: string,
  family?: AddressFamily,
) => Promise<Result<readonly IpAddress[], Failure<'NAME_UNRESOLVED'>>>

/**
 * {@link Resolve} by the system's own resolver, `/etc/hosts` and all.
 * @param host a name, or an address (IPv6 also in brackets).
 * @param family take addresses of this family only.
 * @returns one to eight addresses, once each; or `NAME_UNRESOLVED`.
 * @example
 * ```ts
 * import { systemResolve } from 'ghostport'
 *
 * const resolved = await systemResolve('[2001:db8::7]')
 * console.log(resolved.ok && resolved.value) // 2001:db8::7
 * const refused = await systemResolve('192.0.2.10', 6)
 * console.log(refused.ok || refused.failure.code) // NAME_UNRESOLVED
 * ```
 */
export const systemResolve: Resolve = async (host, family) => {
  const literal = parseAddress(host.replace(/^\[(.*)\]$/, '$1'))
  if (literal.ok) {
    if (family === undefined || familyOf(literal.value) === family) return ok([literal.value])
    return refuse('NAME_UNRESOLVED', `${host} is not an IPv${family} address`)
  }
  if (host === '') return refuse('NAME_UNRESOLVED', 'the name of the server is empty')
  const { lookup } = await import('node:dns')
  const found = await new Promise<readonly LookupAddress[] | string>((resolve) => {
    lookup(host, { all: true, ...(family === undefined ? {} : { family }) }, (error, addresses) =>
      resolve(error === null ? addresses : (error.code ?? error.message)),
    )
  })
  if (typeof found === 'string') return refuse('NAME_UNRESOLVED', `${host}: ${explain(found, family)}`)
  const addresses = new Set<IpAddress>()
  for (const { address } of found) {
    const parsed = parseAddress(address)
    if (parsed.ok) addresses.add(parsed.value)
  }
  if (addresses.size === 0) return refuse('NAME_UNRESOLVED', `${host} has no usable address`)
  return ok([...addresses].slice(0, MAX_ADDRESSES))
}

function explain(code: string, family: AddressFamily | undefined): string {
  switch (code) {
    case 'ENOTFOUND':
    case 'ENODATA':
      return `no such name${family === undefined ? '' : `, or none with an IPv${family} address`} (${code})`
    case 'EAI_AGAIN':
      return `the name server does not answer (${code})`
    default:
      return code
  }
}
