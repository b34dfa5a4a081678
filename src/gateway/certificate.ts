/** The certificate of the gateway: that of the configuration; else one that signs itself, made at the first start. */
import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { GatewayConfig } from '../config/gateway/gateway-config.ts'
import { fingerprintOf, makeSelfSigned } from '../http-server/self-signed.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import type { StateFailure, StateFolder } from '../system/state-folder.ts'
import { readSecretFile, readUserFile, refuseMissing } from '../system/user-file.ts'

export interface GatewayCertificate {
  readonly tls: { readonly key: string; readonly cert: string }
  /** SHA-256, as browsers show it. */
  readonly fingerprint: string
  readonly selfSigned: boolean
  readonly validUntil: Date
}

type CertificateFailure = StateFailure | Failure<'KEY_INVALID'>

const FILE = 'certificate.pem'

export function gatewayCertificate(
  config: GatewayConfig,
  state: StateFolder,
  clock: Clock,
): Result<GatewayCertificate, CertificateFailure> {
  if (config.certificate !== undefined) {
    const { certFile, keyFile } = config.certificate
    const cert = readUserFile(certFile)
    if (!cert.ok) return cert
    if (cert.value === undefined) return refuseMissing(certFile)
    const key = readSecretFile(keyFile)
    if (!key.ok) return key
    return judge(key.value, cert.value.text, false, `${certFile} and ${keyFile}`)
  }
  const kept = state.read(FILE)
  if (!kept.ok) return kept
  if (kept.value !== undefined) {
    const at = kept.value.indexOf('-----BEGIN CERTIFICATE-----')
    return judge(kept.value.slice(0, Math.max(0, at)), kept.value.slice(Math.max(0, at)), true, `${state.path}/${FILE}`)
  }
  const names = [...new Set(config.hosts.map(({ name }) => name))]
  const { key, cert } = makeSelfSigned(names, clock.now(), randomBytes(16))
  const written = state.write(FILE, `${key}${cert}`)
  return written.ok ? judge(key, cert, true, FILE) : written
}

function judge(
  key: string,
  cert: string,
  selfSigned: boolean,
  what: string,
): Result<GatewayCertificate, Failure<'KEY_INVALID'>> {
  const fingerprint = fingerprintOf(cert)
  if (fingerprint === undefined) return refuse('KEY_INVALID', `${what}: there is no certificate in PEM form`)
  const read = new X509Certificate(cert)
  try {
    if (!read.checkPrivateKey(createPrivateKey(key)))
      return refuse('KEY_INVALID', `${what}: the key is not that of the certificate`)
  } catch {
    return refuse('KEY_INVALID', `${what}: there is no private key in PEM form without a passphrase`)
  }
  return ok({ tls: { key, cert }, fingerprint, selfSigned, validUntil: read.validToDate })
}
