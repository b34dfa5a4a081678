/** The certificate of a server: of the files that it was given; else one that signs itself, made at the first start. */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { type Failure, ok, type Result } from '../result.ts'
import type { StateFailure, StateFolder } from '../system/state-folder.ts'
import { type KeyAndCertificate, makeSelfSigned } from './self-signed.ts'
import {
  type CertificateFiles,
  judgeCertificate,
  readCertificateFiles,
  type ServerCertificate,
} from './server-certificate.ts'

export interface OwnCertificate extends ServerCertificate {
  readonly selfSigned: boolean
}

const FILE = 'certificate.pem'

/**
 * @param files absent: a certificate of its own, which is kept in the state folder.
 * @param names of the server.
 */
export function certificateOf(
  files: CertificateFiles | undefined,
  names: readonly string[],
  state: StateFolder,
  clock: Clock,
): Result<OwnCertificate, StateFailure | Failure<'KEY_INVALID'>> {
  if (files !== undefined) {
    const read = readCertificateFiles(files)
    return read.ok ? ok({ ...read.value, selfSigned: false }) : read
  }
  const kept = state.read(FILE)
  if (!kept.ok) return kept
  if (kept.value !== undefined) {
    const at = Math.max(0, kept.value.indexOf('-----BEGIN CERTIFICATE-----'))
    return judgeOwn({ key: kept.value.slice(0, at), cert: kept.value.slice(at) }, `${state.path}/${FILE}`)
  }
  const made = makeSelfSigned([...new Set(names)], clock.now(), randomBytes(16))
  const written = state.write(FILE, `${made.key}${made.cert}`)
  return written.ok ? judgeOwn(made, FILE) : written
}

function judgeOwn(tls: KeyAndCertificate, what: string): Result<OwnCertificate, Failure<'KEY_INVALID'>> {
  const judged = judgeCertificate(tls, what)
  return judged.ok ? ok({ ...judged.value, selfSigned: true }) : judged
}
