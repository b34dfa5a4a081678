/** Logs whose lines are JSON: one object, with the names that servers usually give. */
import { byteText, shownText } from './byte-text.ts'
import { type LineReader, statusOf } from './log-format.ts'
import { dayOf, targetOf } from './visit.ts'

/** The usual name first. Of Caddy, some are in an object `request`. */
const NAMES = {
  address: [
    'remote_addr',
    'remote_ip',
    'client_ip',
    'clientip',
    'remoteIP',
    'remoteip',
    'host',
    'ip',
    'client',
    'addr',
  ],
  time: ['time_local', 'time_iso8601', 'time', 'timestamp', '@timestamp', 'ts', 'msec', 'date'],
  request: ['request', 'request_line', 'req'],
  target: ['request_uri', 'requestURI', 'uri', 'path', 'url'],
  status: ['status', 'response', 'status_code', 'code'],
  agent: ['http_user_agent', 'user_agent', 'userAgent', 'useragent', 'agent', 'User-Agent', 'ua'],
} as const satisfies Record<string, readonly string[]>

type Fields = Readonly<Record<string, unknown>>

export const readJsonLine: LineReader = (line) => {
  const record = parseObject(line)
  if (record === undefined) return undefined
  const inner = objectOf(record['request'])
  const text = (names: readonly string[]): string => textIn(record, names) || textIn(inner, names)
  const [address, request] = [text(NAMES.address), textIn(record, NAMES.request)]
  const day = dayOf(text(NAMES.time).replace(/^\[|\]$/g, ''))
  const target = request === '' ? text(NAMES.target) : targetOf(request)
  if (day === undefined || address === '' || (request === '' && target === '')) return undefined
  const agent = text(NAMES.agent) || textIn(objectOf(inner['headers']), NAMES.agent)
  return { address, day, target, agent, status: statusOf(text(NAMES.status)) }
}

/** @returns undefined for anything but one JSON object. */
export function parseObject(line: string): Fields | undefined {
  // What begins otherwise is no object: to let JSON.parse find out would cost an exception for each line.
  if (!/^\s*\{/.test(line)) return undefined
  try {
    return objectOf(JSON.parse(shownText(line)))
  } catch {
    return undefined
  }
}

function objectOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
}

function textIn(record: Fields, names: readonly string[]): string {
  for (const name of names) {
    if (!Object.hasOwn(record, name)) continue
    const value = record[name]
    // A header may have several values.
    const found = Array.isArray(value) ? value[0] : value
    if (typeof found === 'string' && found !== '') return byteText(found)
    if (typeof found === 'number') return String(found)
  }
  return ''
}
