/**
 * A signed message of a webhook. The signature is an HMAC-SHA256 over the time and the body, so that a receiver can
 * refuse what is old or changed. The key never leaves the process that signs.
 */
import { createHmac, X509Certificate } from 'node:crypto'
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { jsonLine } from '../bytes/text.ts'
import type { LoadedConfig } from '../config/load.ts'
import type { UsedSetting } from '../config/server/fwknopd-settings.ts'
import type { WebhookConfig } from '../config/server/hook-settings.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { systemReason } from '../system/errno.ts'
import { judgeStat, judgeTrail, ourUsers } from '../system/file-trust.ts'
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
  const authorities = readAuthorities(authoritiesFile)
  return authorities.ok
    ? ok({ key: key.value, authorities: authorities.value })
    : named('WEBHOOK_CA_FILE', authorities.failure)
}

function named(setting: UsedSetting, failure: Failure): Result<never> {
  return { ok: false, failure: { ...failure, detail: `${setting}: ${failure.detail}` } }
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

/** The lists of Linux distributions are half as long. */
export const LONGEST_AUTHORITIES = 512 * 1024
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END CERTIFICATE-----/g

/**
 * Reads WEBHOOK_CA_FILE. Others may read it, and may not change it: it says who is trusted.
 * @returns the certificates in it. CONFIG_EXPOSED if others could change it; CONFIG_UNREADABLE, also if there is no
 * certificate in it, or one that cannot be read.
 */
export function readAuthorities(path: string): Result<string, Failure<'CONFIG_EXPOSED' | 'CONFIG_UNREADABLE'>> {
  try {
    const trail = judgeTrail(path, { owners: ourUsers(), cure: () => 'move the file into /etc/fwknop' })
    if (trail !== undefined) return { ok: false, failure: trail }
    const descriptor = openSync(systemPath(path), TO_READ)
    try {
      const stat = fstatSync(descriptor)
      const exposed = judgeStat(path, stat, ourUsers())
      if (exposed !== undefined) return { ok: false, failure: exposed }
      if (stat.size > LONGEST_AUTHORITIES)
        return refuse('CONFIG_UNREADABLE', `${path} is longer than ${LONGEST_AUTHORITIES} bytes`)
      return certificatesIn(path, readFileSync(descriptor, 'latin1'))
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    return refuse('CONFIG_UNREADABLE', `${path}: ${systemReason(error)}`)
  }
}

/** A private key in the same file stays here. */
function certificatesIn(path: string, text: string): Result<string, Failure<'CONFIG_UNREADABLE'>> {
  const found = text.match(CERTIFICATE) ?? []
  if (found.length === 0) return refuse('CONFIG_UNREADABLE', `${path} holds no certificate in PEM form`)
  for (const [i, one] of found.entries())
    try {
      new X509Certificate(one)
    } catch {
      return refuse('CONFIG_UNREADABLE', `${path}: certificate ${i + 1} of ${found.length} cannot be read`)
    }
  return ok(`${found.join('\n')}\n`)
}
