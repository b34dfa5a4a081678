/**
 * Key files (`-G`, `--get-hmac-key`): a line `SERVER: KEY` for each server, as fwknop reads them. Output of `ghostport
 * keygen` or `fwknop --key-gen` works too: there, a line names its key and counts for every server.
 */

import { trimBlanks } from '../bytes/text.ts'
import { EncryptionKey, HmacKey, SigningPassphrase } from '../packet/key.ts'
import { parseKeyBase64, parseKeyText } from '../packet/key-text.ts'
import type { Failure } from '../result.ts'
import { type Result, refuse } from '../result.ts'
import { keyMissing } from './key-missing.ts'

const kinds = {
  encryption: { make: EncryptionKey, text: 'KEY', base64: 'KEY_BASE64' },
  hmac: { make: HmacKey, text: 'HMAC_KEY', base64: 'HMAC_KEY_BASE64' },
  passphrase: { make: SigningPassphrase, text: 'GPG_SIGNING_PW', base64: 'GPG_SIGNING_PW_BASE64' },
} as const

type KeyFileFailure = Failure<'CONFIG_SYNTAX' | 'KEY_MISSING' | 'KEY_INVALID'>

/** @param server as the user named it. */
export function findEncryptionKey(file: string, text: string, server: string): Result<EncryptionKey, KeyFileFailure> {
  return find(file, text, server, kinds.encryption)
}

/** @param server as the user named it. */
export function findHmacKey(file: string, text: string, server: string): Result<HmacKey, KeyFileFailure> {
  return find(file, text, server, kinds.hmac)
}

/** The passphrase of the GnuPG key that signs, from the same file. @param server as the user named it. */
export function findPassphrase(file: string, text: string, server: string): Result<SigningPassphrase, KeyFileFailure> {
  return find(file, text, server, kinds.passphrase)
}

const LINE = /^(?<name>[^\t\v\f\r ]+?)(?::[\t\v\f\r ]*|[\t\v\f\r ]+)(?<value>[^\t\v\f\r ]+)$/s

/** As in fwknop, all behind `SERVER:` is the key, with the blanks in it. */
function lineOf(server: string, line: string): { readonly name: string; readonly value: string } | undefined {
  const name = line.slice(0, server.length)
  const value = trimBlanks(line.slice(server.length + 1))
  const isFor = name.toLowerCase() === server.toLowerCase() && line[server.length] === ':'
  return isFor && value !== '' ? { name, value } : undefined
}

interface Kind<Key> {
  readonly make: { fromBytes(bytes: Uint8Array): Result<Key, Failure<'KEY_INVALID'>> }
  readonly text: string
  readonly base64: string
}

function find<Key>(file: string, text: string, server: string, kind: Kind<Key>): Result<Key, KeyFileFailure> {
  for (const [i, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    const line = trimBlanks(raw)
    if (line === '' || /^[#;]/.test(line)) continue
    const at = { file, line: i + 1 }
    const { name, value } = lineOf(server, line) ?? LINE.exec(line)?.groups ?? {}
    // Shows nothing of the line: any word of it may be the key.
    if (name === undefined || value === undefined)
      return refuse('CONFIG_SYNTAX', 'a line must be “SERVER: KEY”', { at })
    const base64 = name === kind.base64
    if (!base64 && name !== kind.text && name.toLowerCase() !== server.toLowerCase()) continue
    const key = base64 ? parseKeyBase64(kind.make, value) : parseKeyText(kind.make, value)
    return key.ok ? key : { ok: false, failure: { ...key.failure, at } }
  }
  return keyMissing.inFile(file, server)
}
