/** What the cluster process shows to etcd, and whom it believes: from the files that the configuration names. */
import { type ClusterSecret, parseClusterSecret } from '../../../cluster-record/seal.ts'
import type { LoadedConfig } from '../../../config/load.ts'
import type { ClusterConfig } from '../../../config/server/cluster-settings.ts'
import type { UsedSetting } from '../../../config/server/fwknopd-settings.ts'
import { type Failure, ok, type Result, refuse } from '../../../result.ts'
import { readCertificates, readSecretFile, readSecretLine } from '../../../system/trusted-file.ts'
import type { ConfigureCluster } from '../../link/cluster-protocol.ts'

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
  const password = passwordFile === undefined ? ok(undefined) : readSecretLine(passwordFile)
  if (!password.ok) return named('CLUSTER_PASSWORD_FILE', password.failure)
  if (password.value?.length === 0)
    return named('CLUSTER_PASSWORD_FILE', refuse('KEY_INVALID', `${passwordFile} is empty`).failure)
  const authorities = authoritiesFile === undefined ? ok(undefined) : readCertificates(authoritiesFile)
  if (!authorities.ok) return named('CLUSTER_CA_FILE', authorities.failure)
  const certificate = own === undefined ? ok(undefined) : readCertificates(own.certificateFile)
  if (!certificate.ok) return named('CLUSTER_CERTIFICATE_FILE', certificate.failure)
  const key = own === undefined ? ok(undefined) : readSecretFile(own.keyFile)
  if (!key.ok) return named('CLUSTER_KEY_FILE', key.failure)
  const shown =
    certificate.value !== undefined && key.value !== undefined
      ? { own: { certificate: certificate.value, key: key.value.toString('latin1') } }
      : {}
  return ok({
    ...(secure && { tls: { ...(authorities.value !== undefined && { authorities: authorities.value }), ...shown } }),
    ...(user !== undefined &&
      password.value !== undefined && { login: { user, password: Buffer.from(password.value).toString('utf8') } }),
  })
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
