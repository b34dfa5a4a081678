/**
 * The secret of an invitation: 128 random bits, which the link has behind its “#”. Two things are derived from it
 * (HKDF-SHA256): the key that seals the profile, and the proof with which a server hands the sealed profile out. The
 * server keeps a hash of the proof alone. So a file of the server, read at rest, opens no profile; and a web server
 * that passes the proof on never has the key either.
 */
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'
import { formatSecret, type InvitationSecret, parseSecretDigits, SECRET_BYTES } from '../packet/invitation-secret.ts'
import { type Failure, ok, type Refused, type Result, refuse } from '../result.ts'
import { type UnixSeconds, unixSeconds } from '../units.ts'

type Invalid = Failure<'INVITATION_INVALID'>

const LINK = 'ghostport://invite/1#'
const SEALED = 'ghostport://sealed/1?'
const NONCE_BYTES = 12
const TAG_BYTES = 16
const CIPHER = 'aes-256-gcm'
/** A profile has some 300 characters, and its seal a third more. */
const LONGEST = 4000

export function newSecret(): InvitationSecret {
  return Uint8Array.from(randomBytes(SECRET_BYTES)) as InvitationSecret
}

export function formatLink(secret: InvitationSecret): string {
  return `${LINK}${formatSecret(secret)}`
}

/** @param text the secret, or the link, with blanks around it, and with dashes and capitals as somebody types them. */
export function parseSecret(text: string): Result<InvitationSecret, Invalid> {
  const line = text.trim()
  const written = line.startsWith(LINK) ? line.slice(LINK.length) : line
  if (written.startsWith(SEALED.slice(0, 12))) return wrong('this is not a secret, nor the link of an invitation')
  return parseSecretDigits(written)
}

/** What the server keeps to know the secret again: a hash, in hex. */
export function proofHash(secret: InvitationSecret): string {
  return createHash('sha256').update(derive(secret, 'proof')).digest('hex')
}

function derive(secret: InvitationSecret, use: 'seal' | 'proof'): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(), `ghostport invitation 1 ${use}`, 32))
}

/** A profile that nobody can read without the secret, and its end, which nobody can change. */
export interface Sealed {
  readonly until: UnixSeconds
  /** Base64url: nonce, ciphertext, tag. */
  readonly data: string
}

/** @param nonce for tests: 12 bytes, never used twice with one secret. */
export function seal(
  secret: InvitationSecret,
  text: string,
  until: UnixSeconds,
  nonce: Uint8Array = randomBytes(NONCE_BYTES),
): Sealed {
  const cipher = createCipheriv(CIPHER, derive(secret, 'seal'), nonce)
  cipher.setAAD(authenticated(until))
  const data = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return { until, data: data.toString('base64url') }
}

/** @returns the text; INVITATION_INVALID if the secret is not the one, or if anything was changed. */
export function unseal(secret: InvitationSecret, { until, data }: Sealed): Result<string, Invalid> {
  const bytes = Buffer.from(data, 'base64url')
  const end = bytes.length - TAG_BYTES
  if (end <= NONCE_BYTES) return wrong('it is too short: was it copied as a whole?')
  const decipher = createDecipheriv(CIPHER, derive(secret, 'seal'), bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(authenticated(until))
  decipher.setAuthTag(bytes.subarray(end))
  try {
    return ok(Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, end)), decipher.final()]).toString('utf8'))
  } catch {
    return wrong('the secret does not fit this invitation, or the file was changed')
  }
}

function authenticated(until: UnixSeconds): Uint8Array {
  return Buffer.from(`ghostport invitation 1 until ${until}`)
}

/** The sealed profile as one line of text, for a file. */
export function formatSealed({ until, data }: Sealed): string {
  return `${SEALED}until=${until}&data=${data}`
}

/** Whether a text means to be a sealed profile. */
export function isSealed(text: string): boolean {
  return text.trimStart().startsWith(SEALED)
}

export function parseSealed(text: string): Result<Sealed, Invalid> {
  const line = text.trim()
  if (line.length > LONGEST) return wrong(`it has ${line.length} characters, and an invitation at most ${LONGEST}`)
  const [, until, data] = /^until=([0-9]{1,12})&data=([A-Za-z0-9_-]+)$/.exec(line.slice(SEALED.length)) ?? []
  if (!line.startsWith(SEALED) || until === undefined || data === undefined)
    return wrong('it was not copied as a whole, or a later version of ghostport made it')
  return ok({ until: unixSeconds(Number(until)), data })
}

function wrong(detail: string): Refused<Invalid> {
  return refuse('INVITATION_INVALID', detail)
}
