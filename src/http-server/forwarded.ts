/**
 * The visitor's address behind proxies. A visitor can write any X-Forwarded-For; each proxy adds to its end what it
 * saw. So only what named proxies added is believed: from the right, the first address that is no named proxy.
 */
import { type IpAddress, type Network, networkContains, parseAddress } from '../packet/address.ts'

/** Which peers are proxies whose headers are believed. */
export interface NamedProxies {
  readonly networks: readonly Network[]
  /** Whether what comes over a Unix socket is from a proxy. */
  readonly overUnixSocket: boolean
}

export interface Visitor {
  readonly source: IpAddress | undefined
  /** Whether a named proxy was reached over HTTPS, which it need not say; undefined: the visitor came through none. */
  readonly secure: boolean | undefined
}

/** Headers of a request: all values of one name, in order. */
export type HeaderValues = (name: string) => readonly string[]

/** More hops than any real chain has. */
const MOST_HOPS = 16

/**
 * @param peer of the connection; undefined: over a Unix socket.
 * @returns who is there; `unreadable` if a named proxy forwards something that is no address: then nobody is known.
 */
export function visitorOf(
  peer: IpAddress | undefined,
  headers: HeaderValues,
  proxies: NamedProxies,
): Visitor | 'unreadable' {
  const isProxy = (address: IpAddress): boolean => proxies.networks.some((network) => networkContains(network, address))
  if (peer === undefined ? !proxies.overUnixSocket : !isProxy(peer)) return { source: peer, secure: undefined }
  const standard = headers('forwarded')
  const usual = headers('x-forwarded-for')
  // Of two headers, one may be the visitor's own, which its proxy does not know and so leaves alone.
  if (standard.length > 0 && usual.length > 0) return 'unreadable'
  const chain = standard.length > 0 ? forwardedHops(standard) : usual.flatMap((value) => value.split(',')).map(plainHop)
  if (chain.length > MOST_HOPS) return 'unreadable'
  let source = peer
  let secure: boolean | undefined = true
  for (const hop of chain.reverse()) {
    if (hop.address === undefined) return 'unreadable'
    source = hop.address
    secure = hop.secure ?? true
    if (!isProxy(hop.address)) break
  }
  if (standard.length === 0) secure = schemeOf(headers('x-forwarded-proto')) ?? true
  return { source, secure }
}

interface Hop {
  /** Undefined: it is not one. */
  readonly address: IpAddress | undefined
  readonly secure: boolean | undefined
}

function plainHop(text: string): Hop {
  return { address: addressOf(text.trim()), secure: undefined }
}

/** The last one is that of the proxy before us. */
function schemeOf(values: readonly string[]): boolean | undefined {
  const last = values.at(-1)?.split(',').at(-1)?.trim().toLowerCase()
  return last === 'https' ? true : last === 'http' ? false : undefined
}

/** `192.0.2.1`, `192.0.2.1:4711`, `[2001:db8::1]:4711`, `2001:db8::1`. */
function addressOf(text: string): IpAddress | undefined {
  const [, six, four] =
    /^(?:\[([0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?|([0-9.]{7,15})(?::[0-9]{1,5})?)$/.exec(text) ?? []
  const address = parseAddress(six ?? four ?? text)
  return address.ok ? address.value : undefined
}

const PAIR = /^\s*([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s";,]+))\s*$/

/** RFC 7239. A comma or semicolon inside of quotes is rare, and then nothing is believed. */
function forwardedHops(values: readonly string[]): Hop[] {
  return values
    .flatMap((value) => value.split(','))
    .map((element) => {
      let address: IpAddress | undefined
      let secure: boolean | undefined
      for (const part of element.split(';')) {
        const [, name, quoted, token] = PAIR.exec(part) ?? []
        if (name === undefined) return { address: undefined, secure: undefined }
        const text = quoted ?? token ?? ''
        if (name.toLowerCase() === 'for') address = addressOf(text)
        if (name.toLowerCase() === 'proto') secure = text.toLowerCase() === 'https'
      }
      return { address, secure }
    })
}
