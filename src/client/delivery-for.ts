/** Which way packets leave, by SPA_SERVER_PROTO and what goes with it. A way that is not UDP is loaded only here. */
import { textFromBytes } from '../bytes/text.ts'
import type { ClientSettings } from '../config/client/layer.ts'
import type { Delivery } from '../delivery/delivery.ts'
import { udpDelivery } from '../delivery/udp.ts'
import { formatHostPort } from '../packet/address.ts'
import { exposeKey, ProxyPassword } from '../packet/key.ts'
import { parseKeyText } from '../packet/key-text.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { readSecretFile, readUserFile, refuseMissing } from '../system/user-file.ts'
import { type Route, type RoutedGateway, requestOptions, tunnelFor } from './route.ts'

/**
 * @param route as `routeFor` made it of these settings. @param server as the user named it.
 * @returns the delivery, or why a file that it needs cannot be used.
 */
export async function deliveryFor(
  settings: ClientSettings,
  route: Route,
  server: string,
): Promise<Result<Delivery, Failure>> {
  const { sourcePort } = settings
  const { transport } = route
  const from = sourcePort === undefined ? {} : { sourcePort }
  switch (transport) {
    case 'udp':
      return ok(udpDelivery(from))
    case 'tcp': {
      const { tcpDelivery } = await import('../delivery/tcp.ts')
      return ok(tcpDelivery(from))
    }
    case 'http': {
      const password = proxyPassword(settings)
      if (!password.ok) return password
      const { httpDelivery } = await import('../delivery/http.ts')
      return ok(httpDelivery({ ...requestOptions(settings, server), ...password.value, ...from }))
    }
    case 'https': {
      if (route.gateway !== undefined) return gatewayDeliveryFor(settings, route.gateway)
      const authorities = authoritiesIn(settings.caFile)
      if (!authorities.ok) return authorities
      const password = proxyPassword(settings)
      if (!password.ok) return password
      const { httpsDelivery } = await import('../delivery/https.ts')
      const name = server.replace(/^\[(.*)\]$/, '$1')
      const through = tunnelFor(settings, server)
      const tunnel = through === undefined ? {} : { tunnel: { ...through, ...password.value } }
      return ok(httpsDelivery({ ...requestOptions(settings, server), name, ...authorities.value, ...tunnel, ...from }))
    }
    case 'udpraw':
    case 'tcpraw':
    case 'icmp': {
      const { rawDelivery } = await import('../delivery/raw.ts')
      return ok(rawDelivery({ ...rawOptions(settings), transport, ...from }))
    }
    default:
      return transport satisfies never
  }
}

async function gatewayDeliveryFor(
  settings: ClientSettings,
  gateway: RoutedGateway,
): Promise<Result<Delivery, Failure>> {
  const authorities = authoritiesIn(settings.caFile)
  if (!authorities.ok) return authorities
  const password = proxyPassword(settings)
  if (!password.ok) return password
  const { gatewayDelivery } = await import('../delivery/gateway.ts')
  const { gatewayTarget: target = '', sourcePort, userAgent, httpProxy, httpProxyUser } = settings
  const login = { ...(httpProxyUser === undefined ? {} : { proxyUser: httpProxyUser }), ...password.value }
  return ok(
    gatewayDelivery({
      ...{ secure: gateway.secure, name: gateway.host, port: gateway.port, target },
      ...authorities.value,
      ...(gateway.fingerprint === undefined ? {} : { fingerprint: gateway.fingerprint }),
      ...(sourcePort === undefined ? {} : { sourcePort }),
      ...(userAgent === undefined ? {} : { userAgent }),
      ...(httpProxy === undefined ? {} : { tunnel: { to: formatHostPort(gateway.host, gateway.port), ...login } }),
    }),
  )
}

function rawOptions({ spoofedSource, icmpType, icmpCode }: ClientSettings) {
  return {
    ...(spoofedSource === undefined ? {} : { spoofedSource }),
    ...(icmpType === undefined ? {} : { icmpType }),
    ...(icmpCode === undefined ? {} : { icmpCode }),
  }
}

function proxyPassword({ httpProxyPassword: source }: ClientSettings): Result<{ proxyPassword?: string }, Failure> {
  if (source === undefined) return ok({})
  if ('key' in source) return ok({ proxyPassword: textFromBytes(exposeKey(source.key)) })
  const read = readSecretFile(source.file)
  if (!read.ok) return read
  const line = read.value.split(/\r?\n/)[0] ?? ''
  const password = parseKeyText(ProxyPassword, line)
  if (!password.ok) return { ok: false, failure: { ...password.failure, at: { file: source.file, line: 1 } } }
  return ok({ proxyPassword: textFromBytes(exposeKey(password.value)) })
}

/** Others may read the file, and may not change it: it says who is trusted. */
export function authoritiesIn(file: string | undefined): Result<{ authorities?: string }, Failure> {
  if (file === undefined) return ok({})
  const read = readUserFile(file)
  if (!read.ok) return read
  if (read.value === undefined) return refuseMissing(file)
  if (!read.value.text.includes('-----BEGIN CERTIFICATE-----'))
    return refuse('CONFIG_UNREADABLE', `${file} holds no certificate in PEM form`)
  return ok({ authorities: read.value.text })
}
