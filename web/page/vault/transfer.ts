/**
 * Profiles as a file, for another device or a rainy day: sealed under a passphrase of its own. Also where this browser
 * clears its store, the file opens again.
 */
import { decodeBase64 } from '../../../src/bytes/base64.ts'
import { decodeText, encodeText } from '../../../src/bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../../../src/result.ts'
import type { KeptProfile } from '../profile/kept.ts'
import { EXPORT_KIND as KIND } from './export-kind.ts'
import { asKept } from './read-kept.ts'
import { keyFromPassphrase, newDerivation, seal, toText, unseal } from './sealed.ts'

const MOST_PROFILES = 500

export async function exportProfiles(profiles: readonly KeptProfile[], passphrase: string): Promise<string> {
  const derivation = newDerivation()
  const bytes = Uint8Array.from(encodeText(JSON.stringify(profiles)))
  const sealed = await seal(await keyFromPassphrase(passphrase, derivation), bytes, KIND)
  bytes.fill(0)
  const file = {
    kind: KIND,
    rounds: derivation.rounds,
    salt: toText(derivation.salt),
    nonce: toText(sealed.nonce),
    data: toText(sealed.data),
  }
  return `${JSON.stringify(file, undefined, 1)}\n`
}

/** @returns the profiles; `PROFILE_INVALID` for another passphrase, or a file that was changed. */
export async function importProfiles(
  text: string,
  passphrase: string,
): Promise<Result<readonly KeptProfile[], Failure<'PROFILE_INVALID'>>> {
  const file = asObject(parse(text))
  const [salt, nonce, data] = ['salt', 'nonce', 'data'].map((name) => bytesOf(file[name]))
  if (file['kind'] !== KIND || salt === undefined || nonce?.length !== 12 || data === undefined)
    return refuse('PROFILE_INVALID', 'this is not a file of profiles that this page exported')
  let bytes: Uint8Array | undefined
  try {
    const key = await keyFromPassphrase(passphrase, { salt, rounds: Number(file['rounds']) })
    bytes = await unseal(key, { nonce, data }, KIND)
  } catch {
    return refuse('PROFILE_INVALID', 'this is not a file of profiles that this page exported')
  }
  if (bytes === undefined) return refuse('PROFILE_INVALID', 'the passphrase is another, or the file was changed')
  const list = parse(decodeText(bytes) ?? '')
  const profiles = Array.isArray(list) && list.length <= MOST_PROFILES ? list.map(asKept) : [undefined]
  return profiles.every((it) => it !== undefined)
    ? ok(profiles)
    : refuse('PROFILE_INVALID', 'a later version of ghostport made this file: reload this page to get that version')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function bytesOf(value: unknown): Uint8Array<ArrayBuffer> | undefined {
  const bytes = typeof value === 'string' ? decodeBase64(value) : undefined
  return bytes === undefined ? undefined : Uint8Array.from(bytes)
}
