/** Which way packets go, by the settings: over which protocol, to which port, through which proxy. */
import type { GatewayUrl } from '../config/client/gateway-urls.ts'
import type { ClientSettings, HttpProxy, Transport } from '../config/client/layer.ts'
import { type AddressFamily, familyOf, formatHostPort } from '../packet/address.ts'
import { encodeHttpRequest, type HttpRequestOptions } from '../packet/http.ts'
import { STANDARD_SPA_PORT } from '../packet/protocol-port.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { type Port, port } from '../units.ts'

/** The way of a packet. */
export interface Route {
  readonly transport: Transport
  /** The port that packets are sent to: of the proxy, if there is one. */
  readonly port: Port
  /** Only to addresses of this family. */
  readonly family?: AddressFamily
  /** Packets go to this proxy, which passes them on to the server. */
  readonly proxy?: Required<HttpProxy>
  /** Packets go by this gateway. Then `proxy` is the gateway itself, or an HTTP proxy before it. */
  readonly gateway?: RoutedGateway
}

/** A gateway, and how it is known. */
export interface RoutedGateway extends GatewayUrl {
  /** SHA-256 of its certificate; absent: an authority vouches for it. */
  readonly fingerprint?: string
}

/** fwknop's client has no other port for HTTP than for UDP. `https` is not fwknop's. */
const HTTPS_PORT = port(443)
/** That of a URL without a port: the proxy asks the server there, unless SPA_SERVER_PORT says otherwise. */
const HTTP_PORT = port(80)

/**
 * @param settings as they are settled. @param server as the user named it.
 * @returns the way, or `CONFIG_CONFLICT` where settings contradict each other, `VALUE_INVALID` where the server's name
 * fits no HTTP request.
 */
export function routeFor(
  settings: ClientSettings,
  server: string,
): Result<Route, Failure<'CONFIG_CONFLICT' | 'VALUE_INVALID'>> {
  const { httpProxy, serverPort, spoofedSource } = settings
  const [gateway] = gatewaysOf(settings)
  const usual = gateway !== undefined ? 'https' : httpProxy === undefined ? 'udp' : 'http'
  const transport = settings.transport ?? usual
  const conflict = contradictionIn(settings, transport)
  if (conflict !== undefined) return refuse('CONFIG_CONFLICT', conflict)
  // A packet has one source address, of one family.
  const family = spoofedSource === undefined ? settings.family : familyOf(spoofedSource)
  if (gateway !== undefined) return ok(routeThrough(gateway, settings, family))
  const standard = transport === 'https' ? HTTPS_PORT : STANDARD_SPA_PORT
  const route = { transport, port: serverPort ?? standard, ...(family === undefined ? {} : { family }) }
  if (transport !== 'http' && transport !== 'https') return ok(route)
  const written = encodeHttpRequest('A', requestOptions(settings, server))
  if (!written.ok) return written
  if (httpProxy === undefined) return ok(route)
  // Over HTTPS, the port of the settings is the server's alone.
  const other = transport === 'http' ? serverPort : undefined
  const proxy = { host: httpProxy.host, port: httpProxy.port ?? other ?? HTTP_PORT }
  return ok({ ...route, port: proxy.port, proxy })
}

/** The ways by the further gateways: each is for a packet that the one before did not take. */
export function furtherRoutes(settings: ClientSettings, { family }: Route): readonly Route[] {
  return gatewaysOf(settings)
    .slice(1)
    .map((gateway) => routeThrough(gateway, settings, family))
}

function gatewaysOf({ gateways = [], gatewayFingerprints = [] }: ClientSettings): readonly RoutedGateway[] {
  return gateways.map((gateway, i) => {
    const fingerprint = gatewayFingerprints[i]
    return fingerprint === undefined ? gateway : { ...gateway, fingerprint }
  })
}

function routeThrough(gateway: RoutedGateway, { httpProxy }: ClientSettings, family: AddressFamily | undefined): Route {
  const proxy =
    httpProxy === undefined
      ? { host: gateway.host, port: gateway.port }
      : { host: httpProxy.host, port: httpProxy.port ?? HTTP_PORT }
  return { transport: 'https', port: proxy.port, proxy, gateway, ...(family === undefined ? {} : { family }) }
}

function contradictionInGateway(settings: ClientSettings, transport: Transport): string | undefined {
  const { gateways, gatewayTarget, gatewayFingerprints, allow } = settings
  if (gateways === undefined) {
    const name =
      gatewayTarget !== undefined
        ? 'GATEWAY_TARGET (--gateway-target)'
        : gatewayFingerprints !== undefined
          ? 'GATEWAY_FINGERPRINT (--gateway-fingerprint)'
          : undefined
    // With GATEWAY N, a stanza has no gateway. The rest of its settings may stay.
    return name === undefined || transport !== 'https' ? undefined : `${name} has no effect without GATEWAY (--gateway)`
  }
  if (transport !== 'https')
    return `a gateway (GATEWAY, --gateway) needs SPA_SERVER_PROTO https (-P), and not ${transport}; --gateway N sends without it`
  if (gatewayTarget === undefined)
    return 'a gateway (GATEWAY, --gateway) needs GATEWAY_TARGET (--gateway-target): the id that the gateway has for the server'
  if (gatewayFingerprints !== undefined && gatewayFingerprints.length > gateways.length)
    return `GATEWAY_FINGERPRINT (--gateway-fingerprint) has ${gatewayFingerprints.length} fingerprints, and GATEWAY names ${gateways.length}`
  if (allow === 'packet-source')
    return 'through a gateway, the address that the packet comes from (-s, ALLOW_IP source) is that of the gateway, and would let others in: use -R, or -a ADDRESS'
  return undefined
}

function contradictionIn(settings: ClientSettings, transport: Transport): string | undefined {
  const { httpProxy, httpProxyUser, httpProxyPassword, randomPort, spoofedSource, family } = settings
  const byGateway = contradictionInGateway(settings, transport)
  if (byGateway !== undefined) return byGateway
  const raw = transport === 'udpraw' || transport === 'tcpraw' || transport === 'icmp'
  if (spoofedSource !== undefined && !raw)
    return `a spoofed source (--spoof-source, -Q) needs packets that are made by hand: --server-proto udpraw, tcpraw or icmp (-P), and not ${transport}`
  if (spoofedSource !== undefined && family !== undefined && family !== familyOf(spoofedSource))
    return `the spoofed source ${spoofedSource} (--spoof-source, -Q) is not an IPv${family} address`
  if ((settings.icmpType !== undefined || settings.icmpCode !== undefined) && transport !== 'icmp')
    return `--icmp-type and --icmp-code need --server-proto icmp (-P), and not ${transport}`
  if (httpProxy === undefined) return undefined
  if (transport !== 'http' && transport !== 'https')
    return `a proxy (--http-proxy, -H) passes on HTTP and HTTPS, and not ${transport}: use --server-proto http (-P)`
  if (randomPort === true) return 'a random port (--rand-port, -r) cannot be used with a proxy (--http-proxy, -H)'
  if (httpProxyPassword !== undefined && httpProxyUser === undefined)
    return 'a password for the proxy has no effect without a user: set HTTP_PROXY_USER (--http-proxy-user)'
  return undefined
}

/** What an HTTP request says, but for the password: the server as typed, before any look-up. */
export function requestOptions(settings: ClientSettings, server: string): HttpRequestOptions {
  const { httpProxy, httpProxyUser, serverPort, userAgent, transport } = settings
  const agent = userAgent === undefined ? {} : { userAgent }
  const host = bracketed(server)
  // Like fwknop, without the port: a web server compares the name alone.
  if (httpProxy === undefined || transport === 'https') return { server: host, ...agent }
  // The port of the server, if the settings name one besides the proxy's.
  const named = httpProxy.port === undefined || serverPort === HTTP_PORT ? undefined : serverPort
  return {
    server: named === undefined ? host : formatHostPort(unbracketed(server), named),
    proxy: bracketed(httpProxy.host),
    ...(httpProxyUser === undefined ? {} : { proxyUser: httpProxyUser }),
    ...agent,
  }
}

/** Where a proxy is asked to connect to, for HTTPS. Without a password. */
export function tunnelFor({ httpProxy, httpProxyUser, serverPort = HTTPS_PORT }: ClientSettings, server: string) {
  if (httpProxy === undefined) return undefined
  const login = httpProxyUser === undefined ? {} : { proxyUser: httpProxyUser }
  return { to: formatHostPort(unbracketed(server), serverPort), ...login }
}

/** As in a URL. */
function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}

function unbracketed(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1')
}

/** The protocol below the transport, as messages name it. */
export function protocolOf(transport: Transport): 'udp' | 'tcp' | 'icmp' {
  switch (transport) {
    case 'udp':
    case 'udpraw':
      return 'udp'
    case 'tcp':
    case 'http':
    case 'https':
    case 'tcpraw':
      return 'tcp'
    case 'icmp':
      return 'icmp'
    default:
      return transport satisfies never
  }
}
