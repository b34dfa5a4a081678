/** The certificate of an HTTPS server: read from files, judged before use, and replaced while the server runs. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { systemReason } from '../system/errno.ts'
import { type FileFailure, readSecretFile, readUserFile, refuseMissing } from '../system/user-file.ts'
import type { KeyAndCertificate } from './self-signed.ts'

export interface ServerCertificate {
  readonly tls: KeyAndCertificate
  /** SHA-256, as browsers show it (`AB:CD:…`). */
  readonly fingerprint: string
  readonly validUntil: Date
}

/** PEM files. The first certificate is that of the server; its chain follows. */
export interface CertificateFiles {
  readonly certFile: string
  readonly keyFile: string
}

/** @returns `KEY_INVALID` if the two do not belong together: one of them may be replaced later than the other. */
export function readCertificateFiles({
  certFile,
  keyFile,
}: CertificateFiles): Result<ServerCertificate, FileFailure | Failure<'KEY_INVALID'>> {
  const cert = readUserFile(certFile)
  if (!cert.ok) return cert
  if (cert.value === undefined) return refuseMissing(certFile)
  const key = readSecretFile(keyFile)
  if (!key.ok) return key
  return judgeCertificate({ key: key.value, cert: cert.value.text }, `${certFile} and ${keyFile}`)
}

/** @param what for the message: the names of the files. */
export function judgeCertificate(
  tls: KeyAndCertificate,
  what: string,
): Result<ServerCertificate, Failure<'KEY_INVALID'>> {
  let read: X509Certificate
  try {
    read = new X509Certificate(tls.cert)
  } catch {
    return refuse('KEY_INVALID', `${what}: there is no certificate in PEM form`)
  }
  try {
    if (!read.checkPrivateKey(createPrivateKey(tls.key)))
      return refuse('KEY_INVALID', `${what}: the key is not that of the certificate`)
  } catch {
    return refuse('KEY_INVALID', `${what}: there is no private key in PEM form without a passphrase`)
  }
  try {
    createSecureContext(secureContext(tls))
  } catch (error) {
    // A chain that cannot be read, a key that OpenSSL finds too weak.
    return refuse('KEY_INVALID', `${what}: OpenSSL cannot use them: ${systemReason(error)}`)
  }
  return ok({ tls, fingerprint: read.fingerprint256, validUntil: read.validToDate })
}

/** A certificate in place of one that works must be good today. */
export function judgeRenewal(
  tls: KeyAndCertificate,
  what: string,
  now: Date,
): Result<ServerCertificate, Failure<'KEY_INVALID'>> {
  const judged = judgeCertificate(tls, what)
  if (!judged.ok) return judged
  const { validFromDate, validToDate } = new X509Certificate(tls.cert)
  if (validToDate <= now) return refuse('KEY_INVALID', `${what}: the certificate ended at ${validToDate.toISOString()}`)
  if (validFromDate > now)
    return refuse('KEY_INVALID', `${what}: the certificate begins at ${validFromDate.toISOString()}`)
  return judged
}

/** What each listener uses: {@link KeyAndCertificate} with the oldest version of TLS that is spoken. */
export function secureContext({ key, cert }: KeyAndCertificate) {
  return { key, cert, minVersion: 'TLSv1.2' } as const
}
