/** A vector: a packet, the server that it was sent to, and what became of it (README.md). Read strictly from JSON. */
import { type Failure, ok, type Result, refuse } from '../../src/result.ts'

export interface Vector {
  readonly name: string
  readonly category: string
  readonly expect: 'accept' | 'reject'
  /** Exact bytes, as Latin-1. */
  readonly packet: string
  /** Sent before, to the same server, from the same address at the same time. */
  readonly prior: readonly string[]
  readonly now: number
  readonly source: string
  /** What the message says; without what does not apply. */
  readonly fields: Readonly<Record<string, string | number>>
  /** `access.conf`, whole. */
  readonly accessConf: string
  /** What differs from the default test server's `fwknopd.conf`. */
  readonly conf: Readonly<Record<string, string>>
}

type Json = Readonly<Record<string, unknown>>

/** @returns the vectors of a file, or `VALUE_INVALID` for the first that is invalid. */
export function parseVectors(text: string): Result<readonly Vector[], Failure<'VALUE_INVALID'>> {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return refuse('VALUE_INVALID', 'it is not JSON')
  }
  if (!Array.isArray(json)) return refuse('VALUE_INVALID', 'it is not a list of vectors')
  const vectors: Vector[] = []
  for (const [i, item] of json.entries()) {
    const vector = isObject(item) ? parseVector(item) : undefined
    if (vector === undefined) return refuse('VALUE_INVALID', `vector ${i + 1} is not a vector`)
    vectors.push(vector)
  }
  return ok(vectors)
}

function parseVector(json: Json): Vector | undefined {
  const { name, category = '', expect, packet, now, src_ip: source = '127.0.0.1', prior_packets: prior } = json
  const { fields, server } = json
  if (typeof name !== 'string' || typeof category !== 'string' || typeof packet !== 'string') return undefined
  if (expect !== 'accept' && expect !== 'reject') return undefined
  if (typeof now !== 'number' || typeof source !== 'string') return undefined
  const conf = isObject(server) && isObject(server['conf']) ? server['conf'] : {}
  const accessConf = isObject(server) ? server['access_conf'] : undefined
  return {
    name,
    category,
    expect,
    packet,
    prior: Array.isArray(prior) ? prior.map(String) : [],
    now,
    source,
    fields: isObject(fields) ? knownFields(fields) : {},
    accessConf: typeof accessConf === 'string' ? accessConf : stanzaOf(json),
    conf: Object.fromEntries(Object.entries(conf).map(([variable, value]) => [variable, String(value)])),
  }
}

function knownFields(fields: Json): Vector['fields'] {
  return Object.fromEntries(
    Object.entries(fields).filter((field): field is [string, string | number] => {
      return typeof field[1] === 'string' || typeof field[1] === 'number'
    }),
  )
}

/** For a server that did not start, the file has no access.conf: this one is made from the keys. */
function stanzaOf(json: Json): string {
  const line = (name: string, value: unknown) => (typeof value === 'string' ? `${name} ${value}\n` : '')
  const key = (name: string, encoding: unknown) => (encoding === 'base64' ? `${name}_BASE64` : name)
  return [
    line('SOURCE', 'ANY'),
    line(key('KEY', json['key_encoding']), json['key']),
    line(key('HMAC_KEY', json['hmac_key_encoding']), json['hmac_key']),
    line('HMAC_DIGEST_TYPE', json['hmac_key'] === null ? null : json['hmac_type']),
    line('ENCRYPTION_MODE', json['encryption_mode']),
  ].join('')
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
