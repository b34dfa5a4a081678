/**
 * Passkeys as a second way into the vault. An authenticator with WebAuthn's PRF extension makes the same 32 bytes of
 * the same salt each time, and only after the user agreed. Many have no PRF: then the passphrase stays the only way.
 */
import type { PasskeyRecord } from './database.ts'
import { randomBytes } from './sealed.ts'

/** Whether there may be one. Passkeys belong to a name: not to an address, and not to a file. */
export function passkeysPossible(): boolean {
  return (
    typeof PublicKeyCredential === 'function' && /[a-z]/i.test(location.hostname) && !location.hostname.includes(':')
  )
}

interface Made {
  readonly record: PasskeyRecord
  readonly output: ArrayBuffer
}

export async function makePasskey(): Promise<Made | 'cancelled' | 'no prf'> {
  const salt = randomBytes(32)
  const user = randomBytes(16)
  try {
    const made = await navigator.credentials.create({
      publicKey: {
        rp: { name: 'ghostport' },
        user: { id: user, name: 'ghostport profiles', displayName: 'ghostport profiles' },
        challenge: randomBytes(32),
        pubKeyCredParams: [
          { type: 'public-key', alg: -7 },
          { type: 'public-key', alg: -8 },
          { type: 'public-key', alg: -257 },
        ],
        authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
        extensions: { prf: { eval: { first: salt } } },
      },
    })
    if (!(made instanceof PublicKeyCredential)) return 'cancelled'
    const prf = made.getClientExtensionResults().prf
    if (prf?.enabled !== true) return 'no prf'
    const record = { credential: new Uint8Array(made.rawId), salt, made: Math.floor(Date.now() / 1000) }
    // Some authenticators give the output only later.
    const output = asBuffer(prf.results?.first) ?? (await askPasskey([record]))?.output
    return output === undefined ? 'no prf' : { record, output }
  } catch {
    return 'cancelled'
  }
}

/** @returns which of them answered, and with what. */
export async function askPasskey<Known extends PasskeyRecord>(
  known: readonly Known[],
): Promise<{ readonly record: Known; readonly output: ArrayBuffer } | undefined> {
  const evalByCredential = Object.fromEntries(known.map((it) => [toBase64Url(it.credential), { first: it.salt }]))
  try {
    const got = await navigator.credentials.get({
      publicKey: {
        challenge: randomBytes(32),
        allowCredentials: known.map((it) => ({ type: 'public-key', id: it.credential })),
        userVerification: 'required',
        extensions: { prf: { evalByCredential } },
      },
    })
    if (!(got instanceof PublicKeyCredential)) return undefined
    const output = asBuffer(got.getClientExtensionResults().prf?.results?.first)
    const id = toBase64Url(new Uint8Array(got.rawId))
    const record = known.find((it) => toBase64Url(it.credential) === id)
    return output === undefined || record === undefined ? undefined : { record, output }
  } catch {
    return undefined
  }
}

function asBuffer(source: BufferSource | undefined): ArrayBuffer | undefined {
  if (source === undefined || source instanceof ArrayBuffer) return source
  return Uint8Array.from(new Uint8Array(source.buffer as ArrayBuffer, source.byteOffset, source.byteLength)).buffer
}

function toBase64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '')
}
