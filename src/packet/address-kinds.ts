/** Which addresses mean one host, on every interface. Only these can be in a grant, as its source or its target. */
import { familyOf, type IpAddress, type Network } from './address.ts'

/** Whether an address always means this host. */
export function isLoopback(address: IpAddress): boolean {
  return address === '::1' || /^127\./.test(address)
}

/**
 * Whether an address means another host on each link (RFC 3927, RFC 4291 § 2.5.6). A firewall rule does not name a
 * link.
 */
export function isLinkLocal(address: IpAddress): boolean {
  return familyOf(address) === 4 ? /^169\.254\./.test(address) : /^fe[89ab].:/.test(address)
}

/** Whether all addresses of a network are link-local. */
export function isLinkLocalNetwork({ prefix, length }: Network): boolean {
  return isLinkLocal(prefix) && length >= (familyOf(prefix) === 4 ? 16 : 10)
}

/** @returns why this cannot be the address of one host, as a sentence; undefined if it can. Loopback can. */
export function cannotBeHost(address: IpAddress): string | undefined {
  if (isLinkLocal(address)) return `${address} is link-local: it is another host on each link`
  const isNone = familyOf(address) === 4 ? /^(?:0|22[4-9]|2[3-5][0-9])\./.test(address) : /^(?:::$|ff..:)/.test(address)
  return isNone ? `${address} is not the address of a host` : undefined
}

/**
 * Whether an address never comes in from the Internet: of private networks (RFC 1918, RFC 4193), of a provider's NAT
 * (RFC 6598), loopback and link-local.
 */
export function isPrivate(address: IpAddress): boolean {
  if (isLoopback(address) || isLinkLocal(address)) return true
  return familyOf(address) === 4
    ? /^(?:10|192\.168|172\.(?:1[6-9]|2[0-9]|3[01])|100\.(?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7]))\./.test(address)
    : /^f[cd]..:/.test(address)
}
