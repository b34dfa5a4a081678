/**
 * SPA inside an HTTP request (docs/WIRE.md § 9), as text: nothing here listens or connects. The path holds the packet,
 * with `-` for `+` and `_` for `/`. The request may come in a UDP datagram too.
 */
import { encodeBase64Padded } from '../bytes/base64.ts'
import { encodeText, latin1Text } from '../bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { type IpAddress, parseAddress } from './address.ts'
import { isUserAgent } from './user-agent.ts'

/** What a request carried. */
export interface SpaRequest {
  /** The text of the SPA packet, in its own alphabet. Not checked yet. */
  readonly packet: Uint8Array
  /** X-Forwarded-For, if there is exactly one such header and it holds exactly one address. */
  readonly forwardedFor?: IpAddress
}

const METHOD = 'GET /'
/** fwknop's client always sends these two marks, and its server requires the name to begin so. */
const USER_AGENT = 'Fwknop'
const DEFAULT_USER_AGENT = 'Fwknop/2.6.10'

/**
 * Finds the packet in a request.
 * @param payload of the datagram or connection; not changed and not kept.
 * @param options whether any user agent is accepted, or only one that begins with `Fwknop`.
 * @returns the packet, in its own alphabet and not yet checked; undefined for text that does not begin like a request:
 * it may be a bare packet. `SPA_MALFORMED` for a request of another program.
 * @example
 * ```ts
 * import { encodeHttpRequest, parseHttpRequest } from 'ghostport/packet'
 *
 * const request = encodeHttpRequest('8Ab+/09', { server: 'spa.example' })
 * if (!request.ok) throw new Error(request.failure.detail)
 * const found = parseHttpRequest(new TextEncoder().encode(request.value), { anyUserAgent: false })
 * console.log(found?.ok && new TextDecoder().decode(found.value.packet)) // 8Ab+/09
 * ```
 */
export function parseHttpRequest(
  payload: Uint8Array,
  options: { readonly anyUserAgent: boolean },
): Result<SpaRequest, Failure<'SPA_MALFORMED'>> | undefined {
  if (!beginsWithMethod(payload)) return undefined
  const [requestLine = '', ...headers] = latin1Text(payload).split('\n')
  if (!options.anyUserAgent && !headers.some(isSpaUserAgent) && !mayFollow(headers))
    return refuse('SPA_MALFORMED', `it is an HTTP request whose User-Agent does not begin with ${USER_AGENT}`)
  const path = /^[^ \t\r\v\f]*/.exec(requestLine.slice(METHOD.length))?.[0] ?? ''
  const packet = Uint8Array.from(path, unmapped)
  const forwardedFor = onlyForwardedFor(headers)
  return ok(forwardedFor === undefined ? { packet } : { packet, forwardedFor })
}

/** For a proxy that asks for it. */
export interface ProxyLogin {
  /** Without a colon. */
  readonly proxyUser?: string
  readonly proxyPassword?: string
}

/** How to build a request with {@link encodeHttpRequest}. */
export interface HttpRequestOptions extends ProxyLogin {
  /** The SPA server as in a URL: a name, an address, an IPv6 address in brackets; `:port` if it is not 80. */
  readonly server: string
  /** The proxy that gets the request, in the same form. The request then names the whole URL. */
  readonly proxy?: string
  /** Must begin with `Fwknop`, unless the server accepts any user agent. */
  readonly userAgent?: string
}

const AUTHORITY = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?$/

/**
 * The request that carries a sealed packet.
 * @param packet as `sealPacket` makes it.
 * @param options the server, and what else the request says.
 * @returns the whole request, ASCII; `VALUE_INVALID` for a server, proxy or user agent that could end its line.
 * @example
 * ```ts
 * import { encodeHttpRequest } from 'ghostport/packet'
 *
 * const request = encodeHttpRequest('8Ab+/09', { server: 'spa.example' })
 * console.log(request.ok && request.value.split('\r\n')[0]) // GET /8Ab-_09 HTTP/1.0
 * ```
 */
export function encodeHttpRequest(
  packet: string,
  { server, proxy, proxyUser, proxyPassword = '', userAgent = DEFAULT_USER_AGENT }: HttpRequestOptions,
): Result<string, Failure<'VALUE_INVALID'>> {
  for (const host of proxy === undefined ? [server] : [server, proxy])
    if (!AUTHORITY.test(host)) return refuse('VALUE_INVALID', `“${host}” is not a host of a URL`)
  if (!isUserAgent(userAgent)) return refuse('VALUE_INVALID', 'the user agent has characters it may not have')
  if (proxyUser?.includes(':')) return refuse('VALUE_INVALID', 'the user name for the proxy has a colon')
  const path = `/${packet.replaceAll('+', '-').replaceAll('/', '_')}`
  const lines = [
    `GET ${proxy === undefined ? path : `http://${server}${path}`} HTTP/1.0`,
    `User-Agent: ${userAgent}`,
    'Accept: */*',
    // fwknop puts the proxy here, not the server. So do we: otherwise a capture could tell the two clients apart.
    `Host: ${proxy ?? server}`,
    ...(proxy === undefined || proxyUser === undefined ? [] : [basicAuthorization(proxyUser, proxyPassword)]),
    'Connection: close',
  ]
  return ok(`${lines.join('\r\n')}\r\n\r\n`)
}

/** Asks a proxy for a tunnel. @param to `HOST:PORT`, as it was checked by {@link encodeHttpRequest}. */
export function encodeConnectRequest(to: string, { proxyUser, proxyPassword = '' }: ProxyLogin): string {
  const login = proxyUser === undefined ? [] : [basicAuthorization(proxyUser, proxyPassword)]
  return `${[`CONNECT ${to} HTTP/1.1`, `Host: ${to}`, ...login].join('\r\n')}\r\n\r\n`
}

/** RFC 7617, in UTF-8. The base64 holds no character that could end the line. */
function basicAuthorization(user: string, password: string): string {
  return `Proxy-Authorization: Basic ${encodeBase64Padded(encodeText(`${user}:${password}`))}`
}

/** Whether it is a request: no bare packet begins so. */
export function beginsWithMethod(payload: Uint8Array): boolean {
  return latin1Text(payload.subarray(0, METHOD.length)).toUpperCase() === METHOD
}

/**
 * A proxy may send each header by itself. Whether a User-Agent follows in another TCP segment is then not known, and
 * the packet must speak for itself.
 */
function mayFollow(headers: readonly string[]): boolean {
  // What follows the last line end is the beginning of a line.
  const isEnded = headers.slice(0, -1).some((line) => line.trim() === '')
  return !isEnded && !headers.some((line) => headerValue(line, 'user-agent') !== undefined)
}

function isSpaUserAgent(line: string): boolean {
  return headerValue(line, 'user-agent')?.startsWith(USER_AGENT) ?? false
}

/** A list, or a second header, means several proxies: then it is unclear which address to believe. */
function onlyForwardedFor(headers: readonly string[]): IpAddress | undefined {
  const values = headers.map((line) => headerValue(line, 'x-forwarded-for')).filter((value) => value !== undefined)
  const address = values.length === 1 ? parseAddress(values[0] ?? '') : undefined
  return address?.ok ? address.value : undefined
}

function headerValue(line: string, name: string): string | undefined {
  const colon = line.indexOf(':')
  return colon === name.length && line.slice(0, colon).toLowerCase() === name ? line.slice(colon + 1).trim() : undefined
}

function unmapped(character: string): number {
  return character === '-' ? 0x2b : character === '_' ? 0x2f : character.charCodeAt(0)
}
