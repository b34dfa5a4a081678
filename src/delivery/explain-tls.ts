/** Sentences for what is wrong with a server's TLS, by the code of Node's error. */

/** The cure for a client of a server that nobody trusts here. */
export const MORE_AUTHORITIES = 'HTTPS_CA_FILE names more'

/**
 * @param name of the server, as its certificate should have it. @param cure which setting trusts its authority.
 * @returns what is wrong with the certificate or the handshake; undefined for other errors. Nothing that the server
 * chose is in it: Node's own messages quote its certificate.
 */
export function explainTls(code: string, name: string, cure: string): string | undefined {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `its certificate is not for ${name}`
  if (code === 'CERT_HAS_EXPIRED') return 'its certificate has expired'
  if (code === 'CERT_NOT_YET_VALID') return 'its certificate is not valid yet: is the clock right?'
  if (/SELF_SIGNED|UNABLE_TO|CERT_|_CERT/.test(code))
    return `its certificate is from no authority that is trusted here (${cure})`
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') return 'it does not speak TLS as it should'
  return undefined
}
