/**
 * IP addresses and networks, parsed once. An address is stored as its canonical text (dotted quad; RFC 5952 for IPv6).
 * So two spellings of one address are one value, one map key and one firewall element. IPv4-mapped IPv6
 * (`::ffff:1.2.3.4`) becomes the IPv4 address that it carries. An address with a zone (`%eth0`) is refused.
 */
import { type Failure, ok, type Result, refuse } from '../result.ts'
import type { Brand, Port } from '../units.ts'

/** Canonical text of an IPv4 or IPv6 address. Only {@link parseAddress} and {@link addressFromBytes} make one. */
export type IpAddress = Brand<string, 'IpAddress'>
/** IPv4 or IPv6. */
export type AddressFamily = 4 | 6

/** A CIDR network. `prefix` is the masked network address; `length` 0–32 or 0–128 by family. */
export interface Network {
  readonly prefix: IpAddress
  readonly length: number
}

/**
 * @param address as {@link parseAddress} makes it.
 * @returns 4 or 6.
 * @example
 * ```ts
 * import { familyOf, parseAddress } from 'ghostport/packet'
 *
 * const address = parseAddress('2001:db8::7')
 * console.log(address.ok && familyOf(address.value)) // 6
 * ```
 */
export function familyOf(address: IpAddress): AddressFamily {
  return address.includes(':') ? 6 : 4
}

/** `192.0.2.1:22`, `[2001:db8::1]:22`, `inner.example:22`. @param host an address or a name. */
export function formatHostPort(host: string, port: Port): string {
  return `${hostInUrl(host)}:${port}`
}

/** `192.0.2.1`, `[2001:db8::1]`, `inner.example`. @param host an address or a name. */
export function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

/** An address as a socket tells it: behind one of a link stands its interface (`fe80::1%eth0`), which is left out. */
export function parseSocketAddress(text: string | undefined): Result<IpAddress, Failure<'ADDRESS_INVALID'>> {
  return parseAddress(text?.replace(/%.*$/, '') ?? '')
}

/**
 * Reads an address as people write it. IPv4 is four decimal numbers without leading zeros: `inet_aton` reads `010` as
 * octal 8 and fwknop passes the text on unchanged, so the two ends could mean different hosts (docs/WIRE.md § 5).
 * @param text an IPv4 or IPv6 address, without brackets, zone or mask.
 * @returns the address in its canonical spelling, or `ADDRESS_INVALID`.
 * @example
 * ```ts
 * import { parseAddress } from 'ghostport/packet'
 *
 * const address = parseAddress('2001:DB8:0::7')
 * console.log(address.ok && address.value) // 2001:db8::7
 * const refused = parseAddress('192.0.2.010')
 * console.log(refused.ok || refused.failure.code) // ADDRESS_INVALID
 * ```
 */
export function parseAddress(text: string): Result<IpAddress, Failure<'ADDRESS_INVALID'>> {
  // Four numbers without leading zeros have only one spelling.
  if (DOTTED_QUAD.test(text)) return ok(text as IpAddress)
  const bytes = text.includes(':') ? parse6(text) : undefined
  if (bytes === undefined) return refuse('ADDRESS_INVALID', `“${text}” is not an IP address`)
  return ok(addressFromBytes(bytes))
}

/** The IPv4 address at a place among other bytes. */
export function ipv4At(bytes: Uint8Array, at: number): IpAddress {
  // For each packet of a flood: join takes several times as long.
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}` as IpAddress
}

/** @param bytes 4 or 16 bytes in network order. @throws RangeError for any other length. */
export function addressFromBytes(bytes: Uint8Array): IpAddress {
  if (bytes.length === 4) return ipv4At(bytes, 0)
  if (bytes.length !== 16) throw new RangeError(`an IP address has 4 or 16 bytes, not ${bytes.length}`)
  if (isMapped(bytes)) return ipv4At(bytes, 12)
  return text6(bytes) as IpAddress
}

/** @returns 4 or 16 bytes in network order. */
export function addressBytes(address: IpAddress): Uint8Array {
  const bytes = familyOf(address) === 6 ? parse6(address) : parse4(address)
  if (bytes === undefined) throw new Error(`not canonical: ${address}`)
  return bytes
}

/**
 * Reads `ADDRESS`, `ADDRESS/LENGTH`, or `ADDRESS/DOTTED.MASK` (IPv4 only). Host bits are masked away, as fwknop does.
 */
export function parseNetwork(text: string): Result<Network, Failure<'ADDRESS_INVALID'>> {
  const slash = text.indexOf('/')
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash))
  if (!address.ok) return address
  const width = familyOf(address.value) === 4 ? 32 : 128
  const mask = text.slice(slash + 1)
  const length = slash < 0 ? width : prefixLength(mask, width)
  if (length === undefined) {
    const which = mask === '' ? 'mask is missing' : `${mask.includes('.') ? 'dotted mask' : 'mask'} is not valid`
    return refuse('ADDRESS_INVALID', `“${text}” is not a network: the ${which}`)
  }
  return ok({ prefix: maskAddress(address.value, length), length })
}

export function networkContains(network: Network, address: IpAddress): boolean {
  if (familyOf(network.prefix) !== familyOf(address)) return false
  return maskAddress(address, network.length) === network.prefix
}

/** The network address of `address` under a mask of `length` bits. */
export function maskAddress(address: IpAddress, length: number): IpAddress {
  if (length === (familyOf(address) === 4 ? 32 : 128)) return address
  return addressFromBytes(maskBytes(addressBytes(address), length))
}

const NUMBER = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])'
const DOTTED_QUAD = new RegExp(`^(?:${NUMBER}\\.){3}${NUMBER}$`)

function parse4(text: string): Uint8Array | undefined {
  return DOTTED_QUAD.test(text) ? Uint8Array.from(text.split('.'), Number) : undefined
}

function parse6(text: string): Uint8Array | undefined {
  const halves = text.split('::')
  if (halves.length > 2 || text.length > 45) return undefined
  const head = groups(halves[0] ?? '', halves.length === 1)
  const tail = halves.length === 2 ? groups(halves[1] ?? '', true) : []
  if (head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const bytes = new Uint8Array(16)
  for (const [i, group] of [...head, ...new Array<number>(missing).fill(0), ...tail].entries()) {
    bytes[2 * i] = group >> 8
    bytes[2 * i + 1] = group & 0xff
  }
  return bytes
}

/** Colon-separated groups of one half; the last may be a dotted quad where the half ends the address. */
function groups(half: string, mayEndDotted: boolean): number[] | undefined {
  if (half === '') return []
  const parts = half.split(':')
  const found: number[] = []
  for (const [i, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      found.push(Number.parseInt(part, 16))
      continue
    }
    const quad = mayEndDotted && i === parts.length - 1 ? parse4(part) : undefined
    if (quad === undefined) return undefined
    found.push(((quad[0] ?? 0) << 8) | (quad[1] ?? 0), ((quad[2] ?? 0) << 8) | (quad[3] ?? 0))
  }
  return found
}

/** RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups (the first of equals) as `::`. */
function text6(bytes: Uint8Array): string {
  const hex = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0))
  let best = { start: -1, length: 1 }
  for (let start = 0; start < 8; start++) {
    let length = 0
    while (start + length < 8 && hex[start + length] === 0) length++
    if (length > best.length) best = { start, length }
  }
  const show = (part: number[]): string => part.map((group) => group.toString(16)).join(':')
  if (best.start < 0) return show(hex)
  return `${show(hex.slice(0, best.start))}::${show(hex.slice(best.start + best.length))}`
}

/** Whether 16 bytes are an IPv4 address mapped into IPv6: `::ffff:a.b.c.d`. */
export function isMapped(bytes: Uint8Array): boolean {
  if (bytes[10] !== 0xff || bytes[11] !== 0xff) return false
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false
  return true
}

function prefixLength(text: string, width: number): number | undefined {
  if (/^(0|[1-9][0-9]{0,2})$/.test(text)) return Number(text) <= width ? Number(text) : undefined
  const mask = width === 32 ? parse4(text) : undefined
  if (mask === undefined) return undefined
  const bits = Array.from(mask, (byte) => byte.toString(2).padStart(8, '0')).join('')
  return /^1*0*$/.test(bits) ? bits.lastIndexOf('1') + 1 : undefined
}

function maskBytes(bytes: Uint8Array, length: number): Uint8Array {
  return bytes.map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, length - 8 * i))) & 0xff)
}
