/**
 * A user of the forms, as the gateway keeps it. All that could knock is encrypted under a random data key, and the data
 * key under the password (scrypt). Who steals the file can try passwords, and has nothing without one. The gateway can
 * read it only while the user is logged in.
 */
import { createCipheriv, createDecipheriv, createHash, scrypt } from 'node:crypto'
import { decodeBase64Padded, encodeBase64Padded } from '../../bytes/base64.ts'
import { decodeText, encodeText, jsonLine } from '../../bytes/text.ts'
import { integer, list, printableAscii, type Reader, record, text } from '../../json-reader.ts'

/** What is encrypted. */
export interface FormSecret {
  /** The profile of a stanza that is for the form alone: `ghostport://profile/1?…`. */
  readonly profile: string
  /** Of the one-time codes by time, in base64. */
  readonly totp: string
  /** The step of the last code that was used. */
  readonly totpUsed: number
  /** SHA-256 of the single-use codes that are left, in hexadecimal. */
  readonly codes: readonly string[]
}

/** What is in the file. */
export interface FormUser {
  readonly name: string
  /** For the list of users: what the form opens, and where. */
  readonly target: string
  readonly open: string
  /** Unix seconds. */
  readonly added: number
  /** In base64. */
  readonly salt: string
  readonly wrapped: string
  readonly sealed: string
}

const base64 = printableAscii({ max: 16_384 })

const readUser: Reader<FormUser> = record(
  {
    name: printableAscii({ max: 64 }),
    target: printableAscii({ max: 32 }),
    open: printableAscii({ max: 1_000 }),
    added: integer({ min: 0, max: 253_402_300_799 }),
    salt: base64,
    wrapped: base64,
    sealed: base64,
  },
  {},
)

export const readUsers: Reader<{ readonly users: readonly FormUser[] }> = record(
  { users: list(readUser, { min: 0, max: 1_000 }) },
  {},
)

const readSecret: Reader<FormSecret> = record(
  {
    profile: text({ max: 2_000 }),
    totp: printableAscii({ max: 64 }),
    totpUsed: integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    codes: list(printableAscii({ max: 64 }), { min: 0, max: 100 }),
  },
  {},
)

/** 128 × r × N bytes: 32 MiB, some 80 ms. Of RFC 7914; the factors that OWASP names for scrypt with less memory. */
const SCRYPT = { N: 2 ** 15, r: 8, p: 3, maxmem: 64 * 1024 * 1024 } as const
export const SALT_LENGTH = 16
const KEY_LENGTH = 32
const NONCE_LENGTH = 12
const TAG_LENGTH = 16

/** Takes some 100 ms, in another thread. */
export function passwordKey(password: string, salt: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), salt, KEY_LENGTH, SCRYPT, (error, key) =>
      error === null ? resolve(key) : reject(error),
    )
  })
}

/** AES-256-GCM. @param nonce 12 random bytes. @param about is authenticated, and not part of the text. */
export function sealUnder(key: Uint8Array, plaintext: Uint8Array, nonce: Uint8Array, about: string): string {
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(encodeText(about))
  const encrypted = Buffer.concat([cipher.update(plaintext), cipher.final()])
  return encodeBase64Padded(Buffer.concat([nonce, encrypted, cipher.getAuthTag()]))
}

/** @returns undefined under another key, for another user, or for a changed text. */
export function openUnder(key: Uint8Array, sealed: string, about: string): Uint8Array | undefined {
  const bytes = decodeBase64Padded(sealed)
  if (bytes === undefined || bytes.length < NONCE_LENGTH + TAG_LENGTH) return undefined
  const end = bytes.length - TAG_LENGTH
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_LENGTH), {
      authTagLength: TAG_LENGTH,
    })
    decipher.setAAD(encodeText(about)).setAuthTag(bytes.subarray(end))
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_LENGTH, end)), decipher.final()])
  } catch {
    return undefined
  }
}

export interface NewUser {
  readonly name: string
  readonly target: string
  readonly open: string
  readonly added: number
  readonly password: string
  readonly secret: FormSecret
}

/** @param random unpredictable bytes. */
export async function makeUser(
  { password, secret, ...about }: NewUser,
  random: (length: number) => Uint8Array,
): Promise<FormUser> {
  const salt = random(SALT_LENGTH)
  const dataKey = random(KEY_LENGTH)
  const wrapped = sealUnder(await passwordKey(password, salt), dataKey, random(NONCE_LENGTH), `key ${about.name}`)
  return {
    ...about,
    salt: encodeBase64Padded(salt),
    wrapped,
    sealed: sealSecret(about.name, dataKey, secret, random(NONCE_LENGTH)),
  }
}

export function sealSecret(name: string, dataKey: Uint8Array, secret: FormSecret, nonce: Uint8Array): string {
  return sealUnder(dataKey, encodeText(jsonLine(secret)), nonce, `secret ${name}`)
}

/** @returns undefined for another password. */
export function openUser(
  user: FormUser,
  key: Uint8Array,
): { readonly dataKey: Uint8Array; readonly secret: FormSecret } | undefined {
  const dataKey = openUnder(key, user.wrapped, `key ${user.name}`)
  const secret = dataKey === undefined ? undefined : openSecret(user, dataKey)
  return dataKey === undefined || secret === undefined ? undefined : { dataKey, secret }
}

/** @returns undefined under another key. */
export function openSecret({ name, sealed }: FormUser, dataKey: Uint8Array): FormSecret | undefined {
  const opened = openUnder(dataKey, sealed, `secret ${name}`)
  const json = opened === undefined ? undefined : decodeText(opened)
  return json === undefined ? undefined : readSecret(JSON.parse(json))
}

/** Single-use codes are random, so that a plain hash of one cannot be searched. */
export function hashCode(code: string): string {
  return createHash('sha256').update(code.replaceAll(/[\s-]/g, '').toLowerCase()).digest('hex')
}
