/** What the cluster process shows to etcd, and whom it believes: from the files that the configuration names. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { type ClusterSecret, parseClusterSecret } from '../../../cluster-record/seal.ts'
import type { LoadedConfig } from '../../../config/load.ts'
import type { ClusterConfig } from '../../../config/server/cluster-settings.ts'
import type { UsedSetting } from '../../../config/server/fwknopd-settings.ts'
import { type Failure, ok, type Result, refuse } from '../../../result.ts'
import { readCertificates, readSecretFile, readSecretLine, readSecretLines } from '../../../system/trusted-file.ts'
import { type ConfigureCluster, LONGEST_PASSWORD } from '../../link/cluster-protocol.ts'

export type ClusterSecrets = Pick<ConfigureCluster, 'tls' | 'login'>

/** Whether the files of the cluster can be used, if there is one. @returns the fault, with the line of its setting. */
export function judgeCluster({ server: { cluster }, at }: Pick<LoadedConfig, 'server' | 'at'>): Result<void> {
  if (cluster === undefined) return ok(undefined)
  const shown = readClusterSecrets(cluster)
  const read = shown.ok ? readClusterSecret(cluster) : shown
  if (read.ok) return ok(undefined)
  const setting = /^CLUSTER_[A-Z_]+/.exec(read.failure.detail)?.[0] as UsedSetting | undefined
  const place = setting === undefined ? undefined : at[setting]
  return { ok: false, failure: { ...read.failure, ...(place !== undefined && { at: place }) } }
}

/** @returns what is wrong with one of them; the message begins with the name of its setting. */
export function readClusterSecrets(config: ClusterConfig): Result<ClusterSecrets> {
  const { secure, user, passwordFile, authoritiesFile, own } = config
  const passwords = passwordFile === undefined ? ok(undefined) : readPasswords(passwordFile)
  if (!passwords.ok) return named('CLUSTER_PASSWORD_FILE', passwords.failure)
  const authorities = authoritiesFile === undefined ? ok(undefined) : readCertificates(authoritiesFile)
  if (!authorities.ok) return named('CLUSTER_CA_FILE', authorities.failure)
  const shown = own === undefined ? ok(undefined) : readOwnCertificate(own)
  if (!shown.ok) return shown
  return ok({
    ...(secure && {
      tls: {
        ...(authorities.value !== undefined && { authorities: authorities.value }),
        ...(shown.value !== undefined && { own: shown.value }),
      },
    }),
    ...(user !== undefined && passwords.value !== undefined && { login: { user, ...passwords.value } }),
  })
}

/** The password, and in the second line the one that follows it. */
function readPasswords(path: string): Result<{ readonly password: string; readonly next?: string }> {
  const lines = readSecretLines(path)
  if (!lines.ok) return lines
  const { first, second } = lines.value
  const length = Math.max(first.length, second?.length ?? 0)
  const judged = judgePasswordLength(path, first.length === 0 ? 0 : length)
  if (!judged.ok) return judged
  const text = (line: Uint8Array): string => Buffer.from(line).toString('utf8')
  return ok({ password: text(first), ...(second !== undefined && { next: text(second) }) })
}

/** @param what holds the password. @returns KEY_INVALID for one that is empty, or longer than a message can carry. */
export function judgePasswordLength(what: string, length: number): Result<void, Failure<'KEY_INVALID'>> {
  if (length === 0) return refuse('KEY_INVALID', `${what} is empty`)
  if (length <= LONGEST_PASSWORD) return ok(undefined)
  return refuse('KEY_INVALID', `${what}: a password has at most ${LONGEST_PASSWORD} bytes`)
}

/**
 * What this node shows to etcd.
 * @returns what is wrong with one of the files, as {@link readClusterSecrets}; KEY_INVALID where they do not belong
 * together.
 */
export function readOwnCertificate({
  certificateFile,
  keyFile,
}: NonNullable<ClusterConfig['own']>): Result<{ readonly certificate: string; readonly key: string }> {
  const certificate = readCertificates(certificateFile)
  if (!certificate.ok) return named('CLUSTER_CERTIFICATE_FILE', certificate.failure)
  const read = readSecretFile(keyFile)
  if (!read.ok) return named('CLUSTER_KEY_FILE', read.failure)
  const key = read.value.toString('latin1')
  let isOfIt: boolean
  try {
    isOfIt = new X509Certificate(certificate.value).checkPrivateKey(createPrivateKey(key))
  } catch {
    const detail = `${keyFile} holds no private key in PEM form without a passphrase`
    return named('CLUSTER_KEY_FILE', refuse('KEY_INVALID', detail).failure)
  }
  return isOfIt
    ? ok({ certificate: certificate.value, key })
    : named('CLUSTER_KEY_FILE', refuse('KEY_INVALID', `${keyFile} is not the key of ${certificateFile}`).failure)
}

/**
 * CLUSTER_SECRET_FILE: it stays in the warden.
 * @returns undefined without one; else the secret, or what is wrong with it, as {@link readClusterSecrets}.
 */
export function readClusterSecret({ secretFile }: ClusterConfig): Result<ClusterSecret | undefined> {
  if (secretFile === undefined) return ok(undefined)
  const line = readSecretLine(secretFile)
  const secret = line.ok ? parseClusterSecret(line.value) : line
  if (secret.ok) return secret
  const { code, detail } = secret.failure
  return named(
    'CLUSTER_SECRET_FILE',
    code === 'KEY_INVALID' ? refuse(code, `${secretFile}: ${detail}`).failure : secret.failure,
  )
}

function named(setting: UsedSetting, failure: Failure): Result<never> {
  return { ok: false, failure: { ...failure, detail: `${setting}: ${failure.detail}` } }
}
