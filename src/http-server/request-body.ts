/** The body of a request, read strictly: its type, its length, UTF-8, JSON or the fields of a form. */
import { decodeText } from '../bytes/text.ts'
import { parseFields } from './request-head.ts'
import type { BodyRule } from './route.ts'

export interface BodyRefusal {
  readonly status: 400 | 413 | 415
  readonly error: string
}

const TYPES = {
  json: /^application\/json(?:\s*;\s*charset=(?:utf-8|"utf-8"))?$/i,
  form: /^application\/x-www-form-urlencoded(?:\s*;\s*charset=(?:utf-8|"utf-8"))?$/i,
} as const

/** @returns why the body is not even read. */
export function judgeBodyHead(
  rule: BodyRule<unknown>,
  type: string | undefined,
  length: number,
): BodyRefusal | undefined {
  if (rule.kind === 'none') return length === 0 ? undefined : { status: 400, error: 'body' }
  if (type === undefined || !TYPES[rule.kind].test(type)) return { status: 415, error: 'content-type' }
  return length > rule.most ? { status: 413, error: 'length' } : undefined
}

/** @param bytes as many as Content-Length says. */
export function readBody(rule: BodyRule<unknown>, bytes: Uint8Array): { readonly value: unknown } | BodyRefusal {
  if (rule.kind === 'none') return { value: undefined }
  const text = decodeText(bytes)
  if (text === undefined) return { status: 400, error: 'utf-8' }
  const value = rule.kind === 'json' ? readJson(text, rule.read) : readForm(text, rule.read)
  return value === undefined ? { status: 400, error: 'form' } : { value }
}

function readJson(text: string, read: (value: unknown) => unknown): unknown {
  try {
    return read(JSON.parse(text))
  } catch {
    return undefined
  }
}

function readForm(text: string, read: (fields: ReadonlyMap<string, string>) => unknown): unknown {
  const fields = parseFields(text)
  return fields === undefined ? undefined : read(fields)
}
