/**
 * Seals the records of a cluster, and opens them (docs/WIRE.md § 20): AES-256-GCM under a key for each name, which is
 * derived from the secret of the cluster. etcd, and the process that talks to it, have no part of the secret: they can
 * keep a record back or show an old one, and can make, change or move none.
 */
import { createCipheriv, createDecipheriv, createHmac, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { concatBytes, wipe } from '../bytes/bytes.ts'
import { encodeText, latin1Text } from '../bytes/text.ts'
import type { ClusterName } from '../config/server/cluster-settings.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { decodeBase64Padded, encodeBase64Padded } from '../system/base64.ts'
import { LONGEST_RECORD, type RecordName, recordKey, type SealedRecord } from './record-name.ts'

const SALT = 'ghostport cluster record 1'
const VERSION = 1
const CIPHER = 'aes-256-gcm'
const [NONCE, TAG] = [12, 16] as const
const [LEAST_SECRET, MOST_SECRET] = [32, 64] as const

const FIRST_BLOCK = Uint8Array.of(1)

function hmac(key: KeyObject, ...parts: readonly Uint8Array[]): Uint8Array {
  const made = createHmac('sha256', key)
  for (const part of parts) made.update(part)
  return made.digest()
}

/** The secret of a cluster: it has no text form. Made by {@link parseClusterSecret}. */
export interface ClusterSecret {
  readonly key: KeyObject
}

export interface RecordSealer {
  /** @param plaintext at most {@link LONGEST_RECORD} bytes. @throws RangeError for more. */
  seal(name: RecordName, plaintext: Uint8Array): SealedRecord
  /** @returns undefined unless somebody with the secret sealed it under this name, in this cluster. */
  open(name: RecordName, sealed: SealedRecord): Uint8Array | undefined
}

/**
 * @param line the first line of CLUSTER_SECRET_FILE: base64, with its `=`.
 * @returns KEY_INVALID, which quotes nothing.
 */
export function parseClusterSecret(line: Uint8Array): Result<ClusterSecret, Failure<'KEY_INVALID'>> {
  const text = latin1Text(line).trimEnd()
  const bytes = text.length % 4 === 0 ? decodeBase64Padded(text) : undefined
  if (bytes === undefined) return refuse('KEY_INVALID', 'the secret of the cluster is not base64')
  if (bytes.length < LEAST_SECRET || bytes.length > MOST_SECRET)
    return refuse('KEY_INVALID', `the secret of the cluster has ${bytes.length} bytes, not 32 to 64`)
  const key = createSecretKey(bytes)
  wipe(bytes)
  return ok({ key })
}

/** @param nonce 12 bytes, each time others. */
export function recordSealer(
  cluster: ClusterName,
  { key: secret }: ClusterSecret,
  nonce: () => Uint8Array = () => randomBytes(NONCE),
): RecordSealer {
  const bytes = secret.export()
  const extracted = hmac(createSecretKey(encodeText(SALT)), bytes)
  const pseudorandom = createSecretKey(extracted)
  wipe(bytes)
  wipe(extracted)
  /**
   * A key of its own for each name: few records are ever sealed under one, so their nonces do not meet. HKDF (RFC 5869)
   * of one block, with its first step done once. Measured: `hkdfSync` took a third of what a gate does with a record.
   */
  const keyFor = (place: string): KeyObject => {
    const bytes = hmac(pseudorandom, encodeText(place), FIRST_BLOCK)
    const key = createSecretKey(bytes)
    wipe(bytes)
    return key
  }
  return {
    seal(name, plaintext) {
      if (plaintext.length > LONGEST_RECORD) throw new RangeError(`a record of ${plaintext.length} bytes`)
      const place = recordKey(cluster, name)
      const iv = nonce()
      const cipher = createCipheriv(CIPHER, keyFor(place), iv).setAAD(encodeText(place))
      const parts = [cipher.update(plaintext), cipher.final()]
      const sealed = concatBytes(Uint8Array.of(VERSION), iv, ...parts, cipher.getAuthTag())
      return encodeBase64Padded(sealed) as SealedRecord
    },
    open(name, sealed) {
      const bytes = decodeBase64Padded(sealed)
      if (bytes === undefined || bytes.length < 1 + NONCE + TAG || bytes[0] !== VERSION) return undefined
      const place = recordKey(cluster, name)
      const decipher = createDecipheriv(CIPHER, keyFor(place), bytes.subarray(1, 1 + NONCE), { authTagLength: TAG })
      decipher.setAAD(encodeText(place)).setAuthTag(bytes.subarray(-TAG))
      try {
        return concatBytes(decipher.update(bytes.subarray(1 + NONCE, -TAG)), decipher.final())
      } catch {
        return undefined
      }
    },
  }
}
