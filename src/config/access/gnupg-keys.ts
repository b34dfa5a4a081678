/** GnuPG in a stanza: which GPG_ settings go together, and what they mean. */
import type { SignaturePolicy } from '../../access/signature.ts'
import type { GnupgEncryption } from '../../access/stanza.ts'
import { equalBytes } from '../../bytes/bytes.ts'
import { exposeKey } from '../../packet/key.ts'
import { ok, type Result, refuse, type SourceLocation } from '../../result.ts'
import type { ConfigFailure } from '../reading/notice.ts'
import type { SettingLine } from '../reading/setting-lines.ts'
import type { StanzaDraft } from './access-settings.ts'
import type { NoticesOfStanza } from './stanza-notices.ts'

/** GPG_HOME_DIR and GPG_EXE of fwknopd.conf. */
export interface GnupgDefaults {
  readonly home: string
  readonly program: string
}

/** Those of fwknop. */
export const GNUPG_DEFAULTS: GnupgDefaults = { home: '/root/.gnupg', program: '/usr/bin/gpg' }

const GNUPG_FIELDS = [
  'gnupgHome',
  'gnupgProgram',
  'decryptIds',
  'requireSignature',
  'disableSignature',
  'ignoreSignatureErrors',
  'remoteIds',
  'fingerprints',
] as const satisfies readonly (keyof StanzaDraft)[]

type Lines = { readonly [Field in keyof StanzaDraft]?: SettingLine }

/** @returns undefined for a stanza without GnuPG; CONFIG_CONFLICT or CONFIG_MISSING_KEY where settings do not fit. */
export function assembleGnupg(
  start: SourceLocation,
  draft: StanzaDraft,
  lineOf: Lines,
  defaults: GnupgDefaults,
  notices: NoticesOfStanza,
): Result<GnupgEncryption | undefined, ConfigFailure> {
  const { decryptPassphrase, allowNoPassphrase = false, decryptIds, hmacKey, mode } = draft
  if (decryptPassphrase === undefined && !allowNoPassphrase) {
    const line = GNUPG_FIELDS.map((field) => lineOf[field]).find((it) => it !== undefined)
    const asks = line ?? (mode === 'asymmetric' ? lineOf.mode : undefined)
    if (asks === undefined) return ok(undefined)
    // As in fwknop, the symmetric key works without them.
    if (draft.encryptionKey !== undefined && mode !== 'asymmetric') {
      notices.add('gnupgUnused', asks.at)
      return ok(undefined)
    }
    return refuse('CONFIG_MISSING_KEY', `${asks.name} has no effect without GPG_DECRYPT_PW, or GPG_ALLOW_NO_PW Y`, {
      at: asks.at,
      suggestion: 'GPG_ALLOW_NO_PW Y',
    })
  }
  if (decryptPassphrase !== undefined && allowNoPassphrase)
    notices.add('noPassphraseUnused', lineOf.allowNoPassphrase?.at ?? start)
  if (decryptPassphrase && hmacKey && equalBytes(exposeKey(decryptPassphrase), exposeKey(hmacKey)))
    return refuse('CONFIG_CONFLICT', 'the HMAC key is the same as GPG_DECRYPT_PW: use two different secrets', {
      at: lineOf.hmacKey?.at ?? start,
    })
  const signature = assembleSignature(start, draft, lineOf, notices)
  if (!signature.ok) return signature
  return ok({
    kind: 'gnupg',
    home: draft.gnupgHome ?? defaults.home,
    program: draft.gnupgProgram ?? defaults.program,
    ...(decryptIds !== undefined && { decryptIds }),
    ...(decryptPassphrase !== undefined && { passphrase: decryptPassphrase }),
    signature: signature.value,
  })
}

/** As in fwknop: signatures are required, unless GPG_DISABLE_SIG is Y and GPG_REQUIRE_SIG is not. */
function assembleSignature(
  start: SourceLocation,
  { requireSignature, disableSignature = false, ignoreSignatureErrors = false, remoteIds, fingerprints }: StanzaDraft,
  lineOf: Lines,
  notices: NoticesOfStanza,
): Result<SignaturePolicy, ConfigFailure> {
  const line = lineOf.disableSignature
  if (disableSignature && requireSignature === true && line !== undefined) notices.add('signatureBoth', line.at)
  else if (disableSignature) {
    const unused = lineOf.fingerprints ?? lineOf.remoteIds ?? lineOf.ignoreSignatureErrors
    if (unused !== undefined) notices.add('signersUnused', unused.at)
    notices.add('noSignature', line?.at ?? start)
    return ok({ kind: 'disabled' })
  }
  if (requireSignature === false && lineOf.requireSignature !== undefined)
    notices.add('signatureRequired', lineOf.requireSignature.at)
  if (fingerprints === undefined && remoteIds === undefined)
    return refuse('CONFIG_MISSING_KEY', 'it is not said who may sign: each key of the keyring would do', {
      at: start,
      suggestion: 'GPG_FINGERPRINT_ID …',
    })
  if (fingerprints === undefined && remoteIds?.some((id) => id.length === 8))
    notices.add('shortKeyId', lineOf.remoteIds?.at ?? start)
  if (ignoreSignatureErrors) notices.add('signatureErrors', lineOf.ignoreSignatureErrors?.at ?? start)
  return ok({
    ...{ kind: 'required', ignoresErrors: ignoreSignatureErrors },
    ...(fingerprints !== undefined && { fingerprints }),
    ...(remoteIds !== undefined && { ids: remoteIds }),
  })
}
