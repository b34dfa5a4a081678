/**
 * A signed message of a webhook. The signature is an HMAC-SHA256 over the time and the body, so that a receiver can
 * refuse what is old or changed. The key never leaves the process that signs.
 */
import { createHmac } from 'node:crypto'
import { jsonLine } from '../bytes/text.ts'
import type { LoadedConfig } from '../config/load.ts'
import type { UsedSetting } from '../config/server/fwknopd-settings.ts'
import type { WebhookConfig } from '../config/server/hook-settings.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { readCertificates, readSecretLine, type UntrustedFile } from '../system/trusted-file.ts'

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

/** What the files of a webhook hold. */
export interface WebhookFiles {
  readonly key: Uint8Array
  /** Certificates as PEM, and nothing else. */
  readonly authorities?: string
}

/** Whether the files of the webhook can be used, where there is one. */
export function judgeWebhook({ server: { hooks }, at }: Pick<LoadedConfig, 'server' | 'at'>): Result<void> {
  if (hooks?.webhook === undefined) return ok(undefined)
  const read = readWebhookFiles(hooks.webhook)
  if (read.ok) return ok(undefined)
  const place = at[read.failure.detail.startsWith('WEBHOOK_CA_FILE') ? 'WEBHOOK_CA_FILE' : 'WEBHOOK_KEY_FILE']
  return { ok: false, failure: { ...read.failure, ...(place !== undefined && { at: place }) } }
}

/** @returns what is wrong with one of them; the message begins with the name of its setting. */
export function readWebhookFiles({ keyFile, authoritiesFile }: WebhookConfig): Result<WebhookFiles> {
  const key = readWebhookKey(keyFile)
  if (!key.ok) return named('WEBHOOK_KEY_FILE', key.failure)
  if (authoritiesFile === undefined) return ok({ key: key.value })
  const authorities = readCertificates(authoritiesFile)
  return authorities.ok
    ? ok({ key: key.value, authorities: authorities.value })
    : named('WEBHOOK_CA_FILE', authorities.failure)
}

function named(setting: UsedSetting, failure: Failure): Result<never> {
  return { ok: false, failure: { ...failure, detail: `${setting}: ${failure.detail}` } }
}

const SHORTEST_KEY = 16
const LONGEST_KEY = 4096

/**
 * Reads WEBHOOK_KEY_FILE: the bytes of its first line.
 * @returns CONFIG_EXPOSED if others could read or change it; CONFIG_UNREADABLE; KEY_INVALID if it is short.
 */
export function readWebhookKey(path: string): Result<Uint8Array, UntrustedFile | Failure<'KEY_INVALID'>> {
  const key = readSecretLine(path)
  if (!key.ok) return key
  if (key.value.length > LONGEST_KEY)
    return refuse('KEY_INVALID', `${path}: the key is longer than ${LONGEST_KEY} bytes`)
  if (key.value.length >= SHORTEST_KEY) return key
  return refuse('KEY_INVALID', `${path}: the key has ${key.value.length} bytes, and needs ${SHORTEST_KEY}`, {
    suggestion: `openssl rand -base64 32 > ${path}`,
  })
}
