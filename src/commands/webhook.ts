/**
 * A signed message of a webhook. The signature is an HMAC-SHA256 over the time and the body, so that a receiver can
 * refuse what is old or changed. The key never leaves the process that signs.
 */
import { createHmac } from 'node:crypto'
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { jsonLine } from '../bytes/text.ts'
import type { LoadedConfig } from '../config/load.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { systemReason } from '../system/errno.ts'
import { judgeTrail, ourUsers } from '../system/file-trust.ts'
import { TO_READ } from '../system/server-file.ts'
import { systemPath } from '../system/system-path.ts'

/** A message as it is sent, and sent again. */
export interface SignedMessage {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** @param time Unix seconds. @param id the same for each try: a receiver takes a message once. */
export function signMessage(
  value: { readonly event: string },
  key: Uint8Array,
  time: number,
  id: string,
): SignedMessage {
  const body = jsonLine(value)
  const signature = createHmac('sha256', key).update(`${time}.${body}`).digest('hex')
  return {
    body,
    headers: {
      'content-type': 'application/json',
      'user-agent': 'ghostport',
      'x-ghostport-event': value.event,
      'x-ghostport-id': id,
      'x-ghostport-time': `${time}`,
      'x-ghostport-signature': `sha256=${signature}`,
    },
  }
}

/** Whether the key of the webhook can be used, where there is one. */
export function judgeWebhookKey({ server: { hooks }, at }: Pick<LoadedConfig, 'server' | 'at'>): Result<void> {
  if (hooks?.webhook === undefined) return ok(undefined)
  const key = readWebhookKey(hooks.webhook.keyFile)
  if (key.ok) return ok(undefined)
  const place = at.WEBHOOK_KEY_FILE
  const detail = `WEBHOOK_KEY_FILE: ${key.failure.detail}`
  return { ok: false, failure: { ...key.failure, detail, ...(place !== undefined && { at: place }) } }
}

const SHORTEST_KEY = 16
const LONGEST_KEY = 4096
const READ_BY_OTHERS = 0o077

/**
 * Reads WEBHOOK_KEY_FILE: the bytes of its first line.
 * @returns CONFIG_EXPOSED if others could read or change it; CONFIG_UNREADABLE; KEY_INVALID if it is short.
 */
export function readWebhookKey(
  path: string,
): Result<Uint8Array, Failure<'CONFIG_EXPOSED' | 'CONFIG_UNREADABLE' | 'KEY_INVALID'>> {
  try {
    const exposed = judgeTrail(path, { owners: ourUsers(), cure: () => 'move the file into /etc/fwknop' })
    if (exposed !== undefined) return { ok: false, failure: exposed }
    const descriptor = openSync(systemPath(path), TO_READ)
    try {
      const { mode, size } = fstatSync(descriptor)
      if ((mode & READ_BY_OTHERS) !== 0)
        return refuse('CONFIG_EXPOSED', `${path} can be read by others`, { suggestion: `chmod 600 ${path}` })
      if (size > LONGEST_KEY) return refuse('KEY_INVALID', `${path} is longer than ${LONGEST_KEY} bytes`)
      const bytes = readFileSync(descriptor)
      const end = bytes.indexOf(0x0a)
      const key = end < 0 ? bytes : bytes.subarray(0, end)
      if (key.length >= SHORTEST_KEY) return ok(key)
      return refuse('KEY_INVALID', `${path}: the key has ${key.length} bytes, and needs ${SHORTEST_KEY}`, {
        suggestion: `openssl rand -base64 32 > ${path}`,
      })
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    return refuse('CONFIG_UNREADABLE', `${path}: ${systemReason(error)}`)
  }
}
