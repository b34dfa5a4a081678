/** GATEWAY, GATEWAY_TARGET, GATEWAY_FINGERPRINT: by which gateway a packet goes, and the name of its server there. */
import { hostInUrl, parseAddress } from '../../packet/address.ts'
import { isLoopback } from '../../packet/address-kinds.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { type Port, port as portOf } from '../../units.ts'

/** A gateway (docs/GATEWAY.md). */
export interface GatewayUrl {
  /** HTTPS; plain HTTP only to this host itself. */
  readonly secure: boolean
  /** A name or an address, without brackets. */
  readonly host: string
  readonly port: Port
}

type Invalid = Failure<'CONFIG_INVALID_VALUE'>

const MAX_GATEWAYS = 8

/** @param value one URL, or several with commas between them. */
export function parseGatewayUrls(value: string): Result<readonly GatewayUrl[], Invalid> {
  const gateways: GatewayUrl[] = []
  for (const text of value.split(',')) {
    const gateway = parseGatewayUrl(text.trim())
    if (!gateway.ok) return gateway
    gateways.push(gateway.value)
  }
  return gateways.length <= MAX_GATEWAYS
    ? ok(gateways)
    : refuse('CONFIG_INVALID_VALUE', `at most ${MAX_GATEWAYS} gateways can be named`)
}

function parseGatewayUrl(text: string): Result<GatewayUrl, Invalid> {
  const url = parseUrl(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`)
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:') || url.hostname === '')
    return refuse('CONFIG_INVALID_VALUE', `“${text}” is not the URL of a gateway: https://HOST`)
  if (url.username !== '' || url.password !== '' || url.pathname !== '/' || url.search !== '' || url.hash !== '')
    return refuse('CONFIG_INVALID_VALUE', 'the URL of a gateway has no path, query, user or password: https://HOST')
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const secure = url.protocol === 'https:'
  const address = parseAddress(host)
  if (!secure && host !== 'localhost' && !(address.ok && isLoopback(address.value)))
    return refuse('CONFIG_INVALID_VALUE', `a gateway is asked over HTTPS: others on the way could change the answers`, {
      suggestion: `https://${url.host}`,
    })
  return ok({ secure, host, port: url.port === '' ? portOf(secure ? 443 : 80) : portOf(Number(url.port)) })
}

/** Browsers of before 2024 have no URL.parse. */
function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}

/** @returns the id; ids are made by the administrator of the gateway. */
export function parseGatewayTarget(value: string): Result<string, Invalid> {
  if (/^[a-z0-9-]{1,32}$/.test(value)) return ok(value)
  // Nothing of the value is suggested: it may be a key in the wrong line.
  return refuse(
    'CONFIG_INVALID_VALUE',
    `“${value}” is not the id of a target: 1 to 32 characters of a to z, digits and “-”`,
  )
}

/** `https://gate.example`, with the port where it is not the usual one. */
export function formatGatewayUrl({ secure, host, port }: GatewayUrl): string {
  const usual = port === (secure ? 443 : 80)
  return `${secure ? 'https' : 'http'}://${hostInUrl(host)}${usual ? '' : `:${port}`}`
}

/**
 * @param value one fingerprint, or several with commas between them, in the order of the gateways. `none`: this gateway
 * has a certificate of a public authority.
 */
export function parseFingerprints(value: string): Result<readonly (string | undefined)[], Invalid> {
  const fingerprints: (string | undefined)[] = []
  for (const text of value.split(',').map((it) => it.trim())) {
    const fingerprint = text === 'none' ? ok(undefined) : parseFingerprint(text)
    if (!fingerprint.ok) return fingerprint
    fingerprints.push(fingerprint.value)
  }
  return ok(fingerprints)
}

/** A SHA-256, with or without colons. @returns it as Node writes it: `AB:CD:…`. */
export function parseFingerprint(value: string): Result<string, Invalid> {
  const digits = value
    .replace(/^sha-?256[:=]/i, '')
    .replaceAll(':', '')
    .toUpperCase()
  return /^[0-9A-F]{64}$/.test(digits)
    ? ok(digits.replace(/..(?!$)/g, '$&:'))
    : refuse('CONFIG_INVALID_VALUE', `“${value}” is not the SHA-256 of a certificate: 64 hexadecimal digits`)
}
