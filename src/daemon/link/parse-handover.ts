/** Reads the first line to a process that systemd started for a connection (receiver-start.ts). */
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { Handover } from './receiver-start.ts'

/** @returns WARDEN_GONE if it is not exactly such a line. */
export function parseHandover(text: string): Result<Handover, Failure<'WARDEN_GONE'>> {
  const wrong = refuse('WARDEN_GONE', 'the first message is not the warden’s')
  if (!text.endsWith('\n')) return wrong
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return wrong
  }
  if (typeof value !== 'object' || value === null) return wrong
  const { type, count, zone } = value as { readonly [name: string]: unknown }
  if (type !== 'descriptors' || !Number.isInteger(count) || Number(count) < 0) return wrong
  if (zone !== undefined && (typeof zone !== 'string' || zone.includes('\0'))) return wrong
  return ok({ type, count: Number(count), ...(zone !== undefined && { zone }) })
}
