/** What CERTIFICATE_FILE, CERTIFICATE_KEY_FILE and PROXY mean together, for each program that is an HTTP server. */
import type { Network } from '../packet/address.ts'
import { ok, type Result, refuse, type SourceLocation } from '../result.ts'
import type { HttpPlace } from './reading/http-places.ts'
import type { ConfigFailure, Notice } from './reading/notice.ts'

type Lines<T> = readonly { readonly value: T; readonly at: SourceLocation }[] | undefined

export interface HttpServerSettings {
  readonly CERTIFICATE_FILE?: Lines<string>
  readonly CERTIFICATE_KEY_FILE?: Lines<string>
  readonly PROXY?: Lines<readonly (Network | 'unix')[]>
}

export interface HttpServerConfig {
  /** PEM files. Absent: a certificate that signs itself, in the state folder. */
  readonly certificate?: { readonly certFile: string; readonly keyFile: string }
  /** Proxies whose forwarded addresses are believed. */
  readonly proxies: { readonly networks: readonly Network[]; readonly overUnixSocket: boolean }
}

/** For a Unix socket without a proxy that is named. */
export const NO_UNIX_PROXY: Notice = {
  level: 'warning',
  text: 'All visitors over the Unix socket count as one source, because PROXY does not name “unix”.',
  cure: 'PROXY unix',
}

export function assembleHttpServer(
  listen: readonly HttpPlace[],
  given: HttpServerSettings,
): Result<HttpServerConfig, ConfigFailure> {
  const [certFile, keyFile] = [given.CERTIFICATE_FILE?.[0], given.CERTIFICATE_KEY_FILE?.[0]]
  if (certFile !== undefined && keyFile === undefined)
    return refuse('CONFIG_MISSING_KEY', 'CERTIFICATE_FILE needs CERTIFICATE_KEY_FILE, the file of its key', {
      at: certFile.at,
    })
  if (keyFile !== undefined && certFile === undefined)
    return refuse('CONFIG_MISSING_KEY', 'CERTIFICATE_KEY_FILE needs CERTIFICATE_FILE, the certificate', {
      at: keyFile.at,
    })
  if (certFile !== undefined && !listen.some(({ kind }) => kind === 'https'))
    return refuse('CONFIG_CONFLICT', 'CERTIFICATE_FILE has no effect: LISTEN names no https:// address', {
      at: certFile.at,
    })
  const proxies = given.PROXY?.flatMap(({ value }) => value) ?? []
  const overUnixSocket = proxies.includes('unix')
  if (overUnixSocket && !listen.some(({ kind }) => kind === 'unix'))
    return refuse('CONFIG_CONFLICT', 'PROXY unix has no effect: LISTEN names no unix: socket', {
      ...(given.PROXY?.[0] && { at: given.PROXY[0].at }),
    })
  return ok({
    ...(certFile !== undefined &&
      keyFile !== undefined && { certificate: { certFile: certFile.value, keyFile: keyFile.value } }),
    proxies: { networks: proxies.filter((it) => it !== 'unix'), overUnixSocket },
  })
}
