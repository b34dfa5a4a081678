/**
 * Who is asked for the own address (`-R`), unless RESOLVE_URL or RESOLVE_DNS says otherwise. docs/CLIENT.md (“Your own
 * address”) says of each who runs it, and what it learns. A test compares the two lists.
 */
import type { ClientSettings } from '../../config/client/layer.ts'
import type { DnsSource, WebSource } from '../../config/client/own-address-sources.ts'
import { hostInUrl } from '../../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'

/** Of different operators, so that one that lies is outvoted. Each answers over HTTP too. */
export const DEFAULT_SERVICES: readonly WebSource[] = [
  { host: 'icanhazip.com', path: '/' },
  { host: 'api64.ipify.org', path: '/' },
  { host: 'checkip.amazonaws.com', path: '/' },
  // fwknop's own.
  { host: 'www.cipherdyne.org', path: '/cgi-bin/myip' },
]

/** One that is asked. */
export type Source =
  | ({ readonly kind: 'web' } & WebSource & { readonly secure: boolean; readonly fingerprint?: string })
  | ({ readonly kind: 'dns' } & DnsSource)

/** @returns who is asked, at least one; `CONFIG_CONFLICT` where plain HTTP is wanted for a service over HTTPS. */
export function sourcesFor(settings: ClientSettings): Result<readonly Source[], Failure<'CONFIG_CONFLICT'>> {
  const { resolveUrl, resolveDns, resolveHttpOnly = false } = settings
  const gateways = resolveUrl === undefined && resolveDns === undefined ? echoPointsOf(settings) : []
  // A single gateway that lies must not choose for whom the port opens.
  const others = gateways.length >= 2 ? [] : DEFAULT_SERVICES
  const web = resolveUrl ?? (resolveDns === undefined ? others : [])
  if (resolveHttpOnly && web.some(({ secure }) => secure === true))
    return refuse(
      'CONFIG_CONFLICT',
      'plain HTTP (--resolve-http-only) cannot be used with an https:// URL (--resolve-url)',
    )
  return ok([
    ...gateways,
    ...web.map((source) => ({ kind: 'web', ...source, secure: source.secure ?? !resolveHttpOnly }) as const),
    ...(resolveDns === undefined ? [] : [{ kind: 'dns', ...resolveDns } as const]),
  ])
}

/** Each gateway tells the address that it is asked from (docs/GATEWAY.md). */
function echoPointsOf({ gateways = [], gatewayFingerprints = [] }: ClientSettings): readonly Source[] {
  return gateways.map(({ host, port, secure }, i) => {
    const fingerprint = gatewayFingerprints[i]
    const pin = fingerprint === undefined ? {} : { fingerprint }
    return { kind: 'web', host, port, secure, path: '/v1/address', ...pin }
  })
}

/** `https://icanhazip.com/`, `DNS server 208.67.222.222`. */
export function sourceName(source: Source): string {
  if (source.kind === 'dns') return `DNS server ${source.server}`
  const port = source.port === undefined ? '' : `:${source.port}`
  return `${source.secure ? 'https' : 'http'}://${hostInUrl(source.host)}${port}${source.path}`
}
