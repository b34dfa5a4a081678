/** RESOLVE_URL and RESOLVE_DNS: who is asked for the own address. */
import { isHostName, parseNatHost } from '../../packet/nat-target.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { type Port, parsePort } from '../../units.ts'

/** A web service that answers with the address that it is asked from. */
export interface WebSource {
  /** HTTPS or HTTP; absent: the setting does not say. */
  readonly secure?: boolean
  /** A name or an address, without brackets. */
  readonly host: string
  /** Absent: 443 or 80. */
  readonly port?: Port
  /** With the query, from the slash on. */
  readonly path: string
}

/** A DNS server that answers a query for one name with the address that it is asked from. */
export interface DnsSource {
  readonly name: string
  /** A name or an address, without brackets. */
  readonly server: string
  /** Absent: 53. */
  readonly port?: Port
}

type Invalid = Failure<'CONFIG_INVALID_VALUE'>

/** More of them do not make an answer better, and each learns something. */
const MAX_SOURCES = 8

/** Characters of the path of a URL, as in fwknop. */
const MAX_PATH = 1023

/** @param value one URL, or several with commas between them. As in fwknop, `https://` or `http://` may be absent. */
export function parseResolveUrls(value: string): Result<readonly WebSource[], Invalid> {
  const sources: WebSource[] = []
  for (const text of value.split(',')) {
    const source = parseUrl(text)
    if (source === undefined)
      return refuse('CONFIG_INVALID_VALUE', `“${text}” is not a URL of a web service: https://HOST/PATH`)
    if (source.path.length > MAX_PATH)
      return refuse('CONFIG_INVALID_VALUE', `the path of a URL has at most ${MAX_PATH} characters`)
    sources.push(source)
  }
  return sources.length <= MAX_SOURCES
    ? ok(sources)
    : refuse('CONFIG_INVALID_VALUE', `at most ${MAX_SOURCES} services can be asked`)
}

function parseUrl(text: string): WebSource | undefined {
  const scheme = /^https?:\/\//i.exec(text)?.[0]?.toLowerCase()
  // Any other scheme would be read as a host.
  if (scheme === undefined && text.includes('://')) return undefined
  const url = URL.parse(scheme === undefined ? `https://${text}` : text)
  if (url === null || url.username !== '' || url.password !== '' || url.hash !== '' || /[\s\\]/.test(text))
    return undefined
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  if (host === '') return undefined
  const port = url.port === '' ? undefined : parsePort(url.port)
  if (port?.ok === false) return undefined
  return {
    host,
    path: `${url.pathname}${url.search}`,
    ...(scheme === undefined ? {} : { secure: scheme === 'https://' }),
    ...(port === undefined ? {} : { port: port.value }),
  }
}

/** @param value `NAME@SERVER`, `NAME@SERVER:PORT`: `myip.opendns.com@208.67.222.222`. */
export function parseResolveDns(value: string): Result<DnsSource, Invalid> {
  const [, name = '', bracketed, plain, portText] =
    /^([^@\s]+)@(?:\[([^\]]+)\]|([^:@\s]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*))(?::([0-9]+))?$/.exec(value) ??
    []
  const [asked, host] = [parseNatHost(name), parseNatHost(bracketed ?? plain ?? '')]
  const port = portText === undefined ? undefined : parsePort(portText)
  if (!asked.ok || !isHostName(asked.value) || !host.ok || port?.ok === false)
    return refuse('CONFIG_INVALID_VALUE', `“${value}” is not a DNS query: NAME@SERVER, or NAME@SERVER:PORT`)
  const server = isHostName(host.value) ? host.value.name : host.value
  return ok({ name: asked.value.name, server, ...(port === undefined ? {} : { port: port.value }) })
}
