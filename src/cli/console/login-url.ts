/** The link that logs somebody in. The secret is behind the `#`: browsers send it to nobody. */
import type { ConsoleConfig } from '../../config/console/console-config.ts'

/** By the first name of the console, and where it listens; behind a proxy, that has HTTPS. */
export function loginUrl({ hosts, listen, proxies }: ConsoleConfig, secret: string): string {
  const [host] = hosts
  const at = listen.find(({ kind }) => kind !== 'unix')
  const isProxied = proxies.networks.length > 0 || proxies.overUnixSocket
  const scheme = at?.kind === 'http' && !isProxied ? 'http' : 'https'
  const name = host?.name.includes(':') ? `[${host.name}]` : (host?.name ?? 'localhost')
  const port = host?.port ?? (isProxied || at === undefined || at.kind === 'unix' ? undefined : at.port)
  const usual = scheme === 'http' ? 80 : 443
  return `${scheme}://${name}${port === undefined || port === usual ? '' : `:${port}`}/#login=${secret}`
}
