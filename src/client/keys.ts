/** The keys of a knock: from settings, from a key file, or from the user, who is asked without echo. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { ClientSettings } from '../config/client/layer.ts'
import { DEFAULT_DIGEST_TYPE, type DigestType } from '../packet/digest-type.ts'
import { DEFAULT_ENCRYPTION_MODE, type EncryptionMode } from '../packet/encryption-mode.ts'
import { EncryptionKey, exposeKey, HmacKey, SigningPassphrase } from '../packet/key.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { homeDirectory } from '../system/home.ts'
import { readSecretFile } from '../system/user-file.ts'
import { findEncryptionKey, findHmacKey, findPassphrase } from './key-file.ts'
import { keyMissing } from './key-missing.ts'

/** Client and server have the same key. */
export interface SymmetricKeys {
  readonly kind: 'symmetric'
  readonly key: EncryptionKey
  readonly mode: EncryptionMode
}

/** GnuPG encrypts to the server's key, and signs with the user's. */
export interface GnupgKeys {
  readonly kind: 'gnupg'
  /** As gpg understands it: a fingerprint, an id, a mail address. */
  readonly recipient: string
  /** Absent: the packet is not signed. */
  readonly signer?: string
  /** The folder with the keyring. */
  readonly home: string
  /** Path of gpg. */
  readonly program: string
  /** Of the signer's key. `agent`: the agent has it, or asks for it. `none`: the key has none. */
  readonly passphrase: SigningPassphrase | 'agent' | 'none'
}

/** Where gpg is, if no setting says so. */
const DEFAULT_GPG = '/usr/bin/gpg'

/** The keys of a knock, and how they are used. */
export interface Keys {
  readonly encryption: SymmetricKeys | GnupgKeys
  /** Absent: the packet carries no HMAC. */
  readonly hmac?: { readonly key: HmacKey; readonly type: DigestType }
}

/**
 * Asks for a secret that no setting holds.
 * @param what for the prompt: `Encryption key for HOST`.
 * @param option the option that names it, for messages.
 */
export type AskSecret = (what: string, option: string) => Promise<Result<Uint8Array, Failure>>

/**
 * Finds the keys that the settings name: in the settings, in a key file, or by asking.
 * @param settings of which those about keys, digest and mode count.
 * @param server as the user named it: key files are read by it.
 * @param ask for a key that is wanted and that no setting holds.
 * @returns the keys; `CONFIG_UNREADABLE`, `CONFIG_EXPOSED` or `CONFIG_SYNTAX` for a key file; `KEY_MISSING` or
 * `KEY_INVALID` for a key; the failure of `ask`; or `CONFIG_CONFLICT` for a mode that has no HMAC.
 * @example
 * ```ts
 * import { loadKeys } from 'ghostport'
 *
 * const asked: string[] = []
 * const keys = await loadKeys({ useHmac: true }, 'host.example', async (what) => {
 *   asked.push(what)
 *   return { ok: true, value: new TextEncoder().encode(what) }
 * })
 * console.log(asked) // Encryption key for host.example,HMAC key for host.example
 * console.log(keys.ok && keys.value.hmac?.type) // sha256
 * ```
 */
export async function loadKeys(
  settings: ClientSettings,
  server: string,
  ask: AskSecret,
): Promise<Result<Keys, Failure>> {
  const mode = settings.encryptionMode ?? DEFAULT_ENCRYPTION_MODE
  const byGnupg = settings.gpg === true || mode === 'asymmetric'
  // A digest for the HMAC implies an HMAC, as in fwknop.
  const wantsHmac = settings.hmacKey !== undefined || settings.useHmac === true || settings.hmacDigestType !== undefined
  if (wantsHmac && mode === 'legacy' && !byGnupg)
    return refuse('CONFIG_CONFLICT', 'mode legacy is for fwknop before 2.5, which has no HMAC: leave the HMAC key out')

  const encryption = await (byGnupg
    ? findGnupgKeys(settings, server, ask)
    : findSymmetricKeys({ source: settings.encryptionKey, mode }, server, ask))
  if (!encryption.ok) return encryption
  const keys: Keys = { encryption: encryption.value }
  if (!wantsHmac) return ok(keys)

  const hmac = await find(
    settings.hmacKey,
    server,
    findHmacKey,
    () => ask(`HMAC key for ${server}`, 'key-base64-hmac'),
    HmacKey,
  )
  return hmac.ok
    ? ok({ ...keys, hmac: { key: hmac.value, type: settings.hmacDigestType ?? DEFAULT_DIGEST_TYPE } })
    : hmac
}

async function findSymmetricKeys(
  { source, mode }: { readonly source: ClientSettings['encryptionKey']; readonly mode: EncryptionMode },
  server: string,
  ask: AskSecret,
): Promise<Result<SymmetricKeys, Failure>> {
  const key = await find(
    source,
    server,
    findEncryptionKey,
    () => ask(`Encryption key for ${server}`, 'key-base64-rijndael'),
    EncryptionKey,
  )
  return key.ok ? ok({ kind: 'symmetric', key: key.value, mode }) : key
}

async function findGnupgKeys(
  settings: ClientSettings,
  server: string,
  ask: AskSecret,
): Promise<Result<GnupgKeys, Failure>> {
  const { gpgRecipient: recipient, gpgSigner: signer, gpgHome, gpgProgram } = settings
  if (recipient === undefined) return keyMissing.noRecipient()
  const named = gpgHome ?? defaultGnupgHome()
  if (named === undefined)
    return refuse('GNUPG_FAILED', 'this user has no home directory: name the keyring with --gpg-home-dir')
  // gpg is started in another folder.
  const home = resolve(named)
  if (!existsSync(home)) return refuse('GNUPG_FAILED', `GPG_HOMEDIR: there is no folder ${home}`)
  const passphrase = await passphraseOf(settings, server, ask)
  if (!passphrase.ok) return passphrase
  return ok({
    ...{ kind: 'gnupg', recipient, home, program: pathOf(gpgProgram ?? DEFAULT_GPG), passphrase: passphrase.value },
    ...(signer !== undefined && { signer }),
  })
}

/** A name without a slash is looked for in PATH. */
function pathOf(program: string): string {
  return program.includes('/') ? resolve(program) : program
}

/** As gpg has it: GNUPGHOME, else `.gnupg` in the home directory. */
function defaultGnupgHome(): string | undefined {
  const { GNUPGHOME } = process.env
  if (GNUPGHOME) return GNUPGHOME
  const home = homeDirectory()
  return home === undefined ? undefined : join(home, '.gnupg')
}

async function passphraseOf(
  settings: ClientSettings,
  server: string,
  ask: AskSecret,
): Promise<Result<GnupgKeys['passphrase'], Failure>> {
  const { gpgSigner, gpgAgent, gpgNoPassphrase, gpgPassphrase } = settings
  if (gpgPassphrase !== undefined) return ok(gpgPassphrase)
  if (gpgAgent === true) return ok('agent')
  if (gpgNoPassphrase === true || gpgSigner === undefined) return ok('none')
  return find(
    passphraseSource(settings),
    server,
    findPassphrase,
    () => ask(`Passphrase of the GnuPG key ${gpgSigner}`, 'gpg-agent'),
    SigningPassphrase,
  )
}

/** As in fwknop, the encryption key is the passphrase (KEY, KEY_BASE64), or its file holds the passphrase (`-G`). */
function passphraseSource({ encryptionKey }: ClientSettings): Source<SigningPassphrase> | undefined {
  if (encryptionKey === undefined || 'file' in encryptionKey) return encryptionKey
  // No encryption key is too long for a passphrase.
  const passphrase = SigningPassphrase.fromBytes(exposeKey(encryptionKey.key))
  return passphrase.ok ? { key: passphrase.value } : undefined
}

/** Whether a packet by GnuPG needs a passphrase that no setting holds. */
export function asksForPassphrase(settings: ClientSettings): boolean {
  const { gpgSigner, gpgAgent, gpgNoPassphrase, gpgPassphrase } = settings
  const known = gpgAgent === true || gpgNoPassphrase === true || gpgPassphrase !== undefined
  return gpgSigner !== undefined && !known && settings.encryptionKey === undefined
}

type Source<Key> = { readonly key: Key } | { readonly file: string }

async function find<Key>(
  source: Source<Key> | undefined,
  server: string,
  findIn: (file: string, text: string, server: string) => Result<Key, Failure>,
  ask: () => Promise<Result<Uint8Array, Failure>>,
  make: { fromBytes(bytes: Uint8Array): Result<Key, Failure> },
): Promise<Result<Key, Failure>> {
  if (source === undefined) {
    const typed = await ask()
    return typed.ok ? make.fromBytes(typed.value) : typed
  }
  if ('key' in source) return ok(source.key)
  const text = readSecretFile(source.file)
  return text.ok ? findIn(source.file, text.value, server) : text
}
