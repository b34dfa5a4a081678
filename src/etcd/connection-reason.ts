/** Why there is no connection to a member of etcd, in words for an administrator. */

/** The alerts of TLS by which a server says that it does not take the certificate of its client (RFC 8446 § 6.2). */
const ABOUT_US = /alert (?:.*certificate|unknown ca|access denied)/

/** @param error of a socket. OpenSSL’s own message has the names of its files in it. */
export function connectionReason(error: Error & { readonly code?: string; readonly reason?: string }): string {
  const { code, reason } = error
  const why = (code?.startsWith('ERR_SSL') && reason) || error.message || (code ?? 'no connection')
  return ABOUT_US.test(why) ? `${why}: etcd does not take CLUSTER_CERTIFICATE_FILE, or wants one` : why
}
