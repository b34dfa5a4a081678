/** An account of the console: who may log in, and what that person may do. It holds no password. */
import { createHash } from 'node:crypto'
import { integer, list, literal, mapped, printableAscii, type Read, type Reader, record, text } from '../json-reader.ts'
import type { Brand } from '../units.ts'

/** What somebody may do, each as much as the one before: look; end and extend grants; change users. */
export const ROLES = ['viewer', 'operator', 'administrator'] as const
export type Role = (typeof ROLES)[number]

/** As the server’s socket takes it, for its audit log. */
export type AccountNameText = Brand<string, 'AccountNameText'>

/** 32 random bytes in base64url, or the SHA-256 of some secret in hexadecimal. */
const digest = mapped(text({ max: 64 }), (read) => (/^[0-9a-f]{64}$/.test(read) ? read : undefined))
const base64url = (max: number): Reader<string> =>
  mapped(text({ max }), (read) => (/^[A-Za-z0-9_-]+$/.test(read) ? read : undefined))
const unixTime = integer({ min: 0, max: 253_402_300_799 })

/** A link to log in with, which is good once. Only the hash of its secret is kept. */
const link = record({ hash: digest, until: unixTime }, {})
export type LoginLink = Read<typeof link>

/** The secret of codes by time, and the step of the last code that was taken. */
const totp = record({ secret: base64url(64), used: integer({ min: 0, max: Number.MAX_SAFE_INTEGER }) }, {})

const passkey = record(
  {
    id: base64url(1_400),
    name: printableAscii({ max: 64 }),
    added: unixTime,
    /** SubjectPublicKeyInfo, in base64url. */
    publicKey: base64url(1_000),
    /** Of the site that it was made for. */
    rpId: printableAscii({ max: 253 }),
    /** How often it signed, as it says. 0: it does not count. */
    counter: integer({ min: 0, max: 0xffff_ffff }),
  },
  {},
)
export type Passkey = Read<typeof passkey>

const role: Reader<Role> = (value) => ROLES.find((one) => one === value)

const account = record(
  {
    name: mapped(text({ max: 64 }), parseAccountName),
    role,
    /** 16 random bytes in base64url: who it is for a passkey. Another account of the same name is somebody else. */
    id: base64url(22),
    /** Grows with each change that ends its sessions. */
    revision: integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    added: unixTime,
    links: list(link, { min: 0, max: 10 }),
    passkeys: list(passkey, { min: 0, max: 20 }),
  },
  { totp },
)
export type Account = Read<typeof account>

export const MOST_ACCOUNTS = 200
export const MOST_LINKS = 5
export const MOST_PASSKEYS = 10

export const readAccounts = record(
  { version: literal('1'), accounts: list(account, { min: 0, max: MOST_ACCOUNTS }) },
  {},
)

/** @returns undefined for a name that the audit log of the server does not take. */
export function parseAccountName(text: string): AccountNameText | undefined {
  return /^[A-Za-z0-9][A-Za-z0-9@._-]{0,63}$/.test(text) ? (text as AccountNameText) : undefined
}

export function mayAct(have: Role, needed: Role): boolean {
  return ROLES.indexOf(have) >= ROLES.indexOf(needed)
}

/** Whether there is something besides the link that proves who it is. */
export function hasFactor({ totp, passkeys }: Pick<Account, 'totp' | 'passkeys'>): boolean {
  return totp !== undefined || passkeys.length > 0
}

/** What is kept of a secret with 128 bits or more: no guess can be tried against it. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}
