/** One-time codes by time (RFC 6238, with HMAC-SHA-1, 6 digits and 30 s, which all apps can do). */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { UnixSeconds } from '../units.ts'

const STEP = 30
const DIGITS = 6
/** Bytes of a secret, as RFC 4226 recommends. */
export const TOTP_SECRET_LENGTH = 20

/** @param step how many times 30 s have passed since 1970. */
export function totpAt(secret: Uint8Array, step: number): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(step))
  const digest = createHmac('sha1', secret).update(counter).digest()
  const offset = (digest[digest.length - 1] ?? 0) & 0xf
  const number = (digest.readUInt32BE(offset) & 0x7fff_ffff) % 10 ** DIGITS
  return `${number}`.padStart(DIGITS, '0')
}

/**
 * One step before and one after now are accepted, since clocks differ. A code is good once: later ones only.
 * @param used the step of the last code that was accepted.
 * @returns the step of the code; undefined if it is none, or used.
 */
export function checkTotp(secret: Uint8Array, code: string, now: UnixSeconds, used: number): number | undefined {
  const current = Math.floor(now / STEP)
  let found: number | undefined
  for (const step of [current - 1, current, current + 1])
    if (equalText(totpAt(secret, step), code) && step > used) found = step
  return found
}

/** Takes as long for each text of one length. */
export function equalText(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** What an app reads from a QR code. */
export function totpUri(secret: Uint8Array, name: string, host: string): string {
  const label = encodeURIComponent(`${host}:${name}`)
  return `otpauth://totp/${label}?secret=${base32(secret)}&issuer=${encodeURIComponent(host)}`
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** RFC 4648 § 6, without padding. */
export function base32(bytes: Uint8Array): string {
  let bits = ''
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0')
  return (bits.match(/.{1,5}/g) ?? []).map((five) => ALPHABET[Number.parseInt(five.padEnd(5, '0'), 2)]).join('')
}
