/**
 * Request line and headers, judged before anything of the body is read. Node's parser (llhttp) refuses most malformed
 * requests. This refuses what two programs could read in two ways (request smuggling), and what our clients never send.
 */

/** As Node's parser gives it. */
export interface RawHead {
  readonly method: string
  /** The request target, as it came. */
  readonly target: string
  /** `1.0` or `1.1`. */
  readonly version: string
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[]
}

export interface Head {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'OPTIONS'
  readonly path: string
  /** What is after the `?`; absent without one. */
  readonly query: string | undefined
  readonly headers: Headers
  /** Bytes of the body. */
  readonly length: number
}

/** Name in lower case → its values in order. */
export type Headers = ReadonlyMap<string, readonly string[]>

/** The status of a refusal, and one word for it. */
export interface HeadRefusal {
  readonly status: 400 | 405 | 411 | 414 | 417 | 505
  readonly error: string
}

/** Each of these says something once. Two of them are two answers to one question. */
const ONCE = [
  'host',
  'content-length',
  'content-type',
  'content-encoding',
  'transfer-encoding',
  'origin',
  'sec-fetch-site',
  'authorization',
  'cookie',
  'if-none-match',
  'x-forwarded-proto',
] as const

const METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'OPTIONS']
/** Characters of a path and a query; the rest comes percent-encoded. */
const TARGET = /^(\/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)(?:\?([A-Za-z0-9._~!$&'()*+,;=:@%/?-]*))?$/

export function judgeHead(raw: RawHead, targetBytes: number): Head | HeadRefusal {
  if (raw.version !== '1.1' && raw.version !== '1.0') return { status: 505, error: 'version' }
  const headers = headerMap(raw.rawHeaders)
  const twice = ONCE.find((name) => (headers.get(name)?.length ?? 0) > 1)
  if (twice !== undefined) return { status: 400, error: `two headers ${twice}` }
  if (headers.get('host') === undefined) return { status: 400, error: 'no host' }
  // One way to say how long a body is: then nobody on the way can count differently.
  if (headers.has('transfer-encoding')) return { status: 411, error: 'transfer-encoding' }
  if (headers.has('content-encoding')) return { status: 400, error: 'content-encoding' }
  if (headers.has('expect')) return { status: 417, error: 'expect' }
  if (headers.has('upgrade')) return { status: 400, error: 'upgrade' }
  if (!METHODS.includes(raw.method)) return { status: 405, error: 'method' }
  const method = raw.method as Head['method']
  if (raw.target.length > targetBytes) return { status: 414, error: 'target' }
  const [, path, query] = TARGET.exec(raw.target) ?? []
  if (path === undefined) return { status: 400, error: 'target' }
  const lengthText = headers.get('content-length')?.[0]
  if (lengthText !== undefined && !/^(?:0|[1-9][0-9]{0,11})$/.test(lengthText))
    return { status: 400, error: 'content-length' }
  const length = Number(lengthText ?? 0)
  if (method === 'POST' && lengthText === undefined) return { status: 411, error: 'content-length' }
  if (method !== 'POST' && length > 0) return { status: 400, error: 'body' }
  return { method, path, query, headers, length }
}

function headerMap(raw: readonly string[]): Map<string, string[]> {
  const headers = new Map<string, string[]>()
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase()
    const values = headers.get(name)
    if (values === undefined) headers.set(name, [raw[i + 1] ?? ''])
    else values.push(raw[i + 1] ?? '')
  }
  return headers
}

/** @returns the fields of a query or form; undefined where one is there twice, has no name, or is not UTF-8. */
export function parseFields(text: string): ReadonlyMap<string, string> | undefined {
  const fields = new Map<string, string>()
  if (text === '') return fields
  for (const part of text.split('&')) {
    const equals = part.indexOf('=')
    const name = decodeField(equals < 0 ? part : part.slice(0, equals))
    const value = decodeField(equals < 0 ? '' : part.slice(equals + 1))
    if (name === undefined || value === undefined || name === '' || fields.has(name)) return undefined
    fields.set(name, value)
  }
  return fields
}

function decodeField(text: string): string | undefined {
  try {
    const decoded = decodeURIComponent(text.replaceAll('+', ' '))
    return decoded.includes('\0') ? undefined : decoded
  } catch {
    return undefined // not UTF-8, or no escape
  }
}
