/** Settings that each HTTP server of ours has: where it listens, its names, and the proxies in front of it. */
import { encodeText } from '../../bytes/text.ts'
import { formatHostPort, type IpAddress, type Network, parseAddress, parseNetwork } from '../../packet/address.ts'
import { isLoopback } from '../../packet/address-kinds.ts'
import { ok, type Result } from '../../result.ts'
import { type Port, parsePort } from '../../units.ts'
import { nearest } from './nearest.ts'
import { absolutePath, invalidValue, type ValueFailure, type ValueReader } from './setting-values.ts'

/** Where a server listens. */
export type HttpPlace =
  | { readonly kind: 'https' | 'http'; readonly address: IpAddress; readonly port: Port }
  | { readonly kind: 'unix'; readonly path: string }

/** A name of a server, as visitors type it. */
export interface HttpName {
  readonly name: string
  readonly port?: Port
}

/**
 * `https://ADDRESS:PORT`, `http://127.0.0.1:8080`, `unix:/run/ghostport-gateway/http.sock`.
 * @param folder where such a socket belongs.
 */
export function listenValue(folder: string): ValueReader<HttpPlace> {
  return (text) => readPlace(text, folder)
}

function readPlace(text: string, folder: string): Result<HttpPlace, ValueFailure> {
  if (/^unix:/i.test(text)) {
    const path = absolutePath(folder)(text.slice('unix:'.length))
    if (!path.ok) return path
    // sun_path of unix(7), with its NUL.
    if (encodeText(path.value).length > 107) return invalidValue('the path of a Unix socket has at most 107 bytes')
    return ok({ kind: 'unix', path: path.value })
  }
  const [, scheme, hostText = '', portText] =
    /^(?:(https?):\/\/)?(\[[^\]]*\]|[^:/]*)(?::([0-9]+))?\/?$/i.exec(text) ?? []
  const kind = scheme?.toLowerCase() === 'http' ? 'http' : 'https'
  const address = parseAddress(hostText.replace(/^\[(.*)\]$/, '$1'))
  if (!address.ok)
    return invalidValue(`“${text}” is not a place to listen: https://ADDRESS:PORT, http://ADDRESS:PORT or unix:/PATH`)
  const port = parsePort(portText ?? (kind === 'https' ? '443' : '80'))
  if (!port.ok) return invalidValue(port.failure.detail)
  const meant = formatHostPort(address.value, port.value)
  if (scheme === undefined) return invalidValue(`“${text}” says neither https:// nor http://`, `https://${meant}`)
  if (kind === 'http' && !isLoopback(address.value))
    return invalidValue(
      `plain HTTP is for proxies on this host: ${address.value} can be reached from others, who could read and change it`,
      `https://${meant}`,
    )
  return ok({ kind, address: address.value, port: port.value })
}

/** `gate.example.org`, `gate.example.org:8443`, `192.0.2.1`, `[2001:db8::1]:443`. */
export function hostValue(text: string): Result<HttpName, ValueFailure> {
  const url = /^https?:\/\/([^/]+)/i.exec(text)?.[1]
  if (url !== undefined) return invalidValue(`“${text}” is a URL: HOST is the name alone`, url)
  const bare = parseAddress(text)
  if (bare.ok) return ok({ name: bare.value })
  const [, six, plain = '', portText] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([0-9]+))?$/.exec(text.toLowerCase()) ?? []
  const address = parseAddress(six ?? plain)
  const name = address.ok ? address.value : HOST_NAME.test(plain) && !/^[0-9.]+$/.test(plain) ? plain : undefined
  if (name === undefined) return invalidValue(`“${text}” is not the name or address of a host`)
  if (portText === undefined) return ok({ name })
  const port = parsePort(portText)
  return port.ok ? ok({ name, port: port.value }) : invalidValue(port.failure.detail)
}

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/

/** An address, a network, or `unix`. */
export function proxyValue(text: string): Result<Network | 'unix', ValueFailure> {
  if (text.toLowerCase() === 'unix') return ok('unix')
  const network = parseNetwork(text)
  if (!network.ok) return invalidValue(network.failure.detail, nearest(text, ['unix']))
  // One that anybody can come from would let everybody forge their address.
  if (network.value.length < (network.value.prefix.includes(':') ? 16 : 8))
    return invalidValue(`“${text}” is too wide: each host in it could claim any address`)
  return network
}
