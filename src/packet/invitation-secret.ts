/** The secret of an invitation, as text: 128 bits in eight groups of hexadecimal digits. */
import { type Failure, ok, type Refused, type Result, refuse } from '../result.ts'
import type { Brand } from '../units.ts'

/** 16 bytes. */
export type InvitationSecret = Brand<Uint8Array, 'InvitationSecret'>

export const SECRET_BYTES = 16

/** `3f9a-2c1b-…`: to be read out or typed. */
export function formatSecret(secret: InvitationSecret): string {
  return (hexOf(secret).match(/.{4}/g) ?? []).join('-')
}

/** @param text digits, with dashes and capitals as somebody types them. The failure quotes nothing. */
export function parseSecretDigits(text: string): Result<InvitationSecret, Failure<'INVITATION_INVALID'>> {
  const digits = text.replace(/[\s-]/g, '').toLowerCase()
  if (!/^[0-9a-f]*$/.test(digits)) return wrong('the secret has the digits 0 to 9 and the letters a to f')
  if (digits.length !== 2 * SECRET_BYTES)
    return wrong(`the secret has ${2 * SECRET_BYTES} digits, and not ${Math.min(digits.length, 9999)}`)
  return ok(bytesOfHex(digits) as InvitationSecret)
}

/** In lower case. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** @param digits an even number of hexadecimal digits. */
export function bytesOfHex(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

function wrong(detail: string): Refused<Failure<'INVITATION_INVALID'>> {
  return refuse('INVITATION_INVALID', detail)
}
