/** The certificate of a server that runs: which one is in use, and another one in its place. */
import type { Clock } from '../clock.ts'
import type { Failure, Result } from '../result.ts'
import type { OwnCertificate } from './certificate.ts'
import type { KeyAndCertificate } from './self-signed.ts'
import type { HttpServer } from './server.ts'
import { judgeRenewal, type ServerCertificate } from './server-certificate.ts'

export interface RenewableCertificate {
  /** The one in use now; undefined without HTTPS. */
  readonly certificate: OwnCertificate | undefined
  /**
   * New connections get another certificate; the open ones go on.
   * @returns KEY_INVALID: it is not good, and the old one stays.
   */
  renew(pair: KeyAndCertificate): Result<ServerCertificate, Failure<'KEY_INVALID'>>
}

export function renewableCertificate(
  http: Pick<HttpServer, 'useCertificate'>,
  first: OwnCertificate | undefined,
  clock: Clock,
): RenewableCertificate {
  let inUse = first
  return {
    get certificate() {
      return inUse
    },
    renew(pair) {
      const judged = judgeRenewal(pair, 'the new certificate', new Date(clock.now() * 1_000))
      if (!judged.ok) return judged
      http.useCertificate(judged.value.tls)
      inUse = { ...judged.value, selfSigned: false }
      return judged
    },
  }
}
