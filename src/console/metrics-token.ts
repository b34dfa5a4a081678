/** The token of Prometheus: good for `/metrics` alone. Only its hash is kept, in a file of the state folder. */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { jsonLine } from '../bytes/text.ts'
import { literal, mapped, record, text } from '../json-reader.ts'
import { ok, type Result } from '../result.ts'
import type { StateFolder } from '../system/state-folder.ts'
import { hashSecret } from './account.ts'

const FILE = 'metrics-token.json'
const readFile = record(
  {
    version: literal('1'),
    hash: mapped(text({ max: 64 }), (read) => (/^[0-9a-f]{64}$/.test(read) ? read : undefined)),
  },
  {},
)

/** @returns a new token, in base64url. An earlier one is good no more. */
export function makeMetricsToken(state: StateFolder): Result<string> {
  const token = randomBytes(32).toString('base64url')
  const written = state.write(FILE, `${jsonLine({ version: '1', hash: hashSecret(token) })}\n`)
  return written.ok ? ok(token) : written
}

/** @returns whether it is the token. It is not where there is none, or where the file cannot be read. */
export function isMetricsToken(state: StateFolder, given: string): boolean {
  const kept = state.read(FILE)
  if (!kept.ok || kept.value === undefined) return false
  try {
    const { hash } = readFile(JSON.parse(kept.value)) ?? {}
    return hash !== undefined && timingSafeEqual(Buffer.from(hash), Buffer.from(hashSecret(given)))
  } catch {
    return false
  }
}
