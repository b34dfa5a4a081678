/**
 * A TLS connection to a server whose certificate is judged by the authorities that this host trusts, or by its
 * fingerprint alone. Nothing is sent before it is judged.
 */
import type { Socket } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { errorCode, systemReason } from '../system/errno.ts'
import { explainTls, MORE_AUTHORITIES } from './explain-tls.ts'
import { tlsOptions } from './https.ts'

export interface TlsPeer {
  /** The name or address of the server, as its certificate has it. */
  readonly name: string
  /** SHA-256 of the certificate that counts, in place of name, dates and authority: `AB:CD:…`. */
  readonly fingerprint?: string
  /** Certificates of further authorities to trust, as PEM. */
  readonly authorities?: string
}

/** @param socket a connection that is made. @returns `SEND_FAILED` with what is wrong; then the connection is ended. */
export function connectTls(
  socket: Socket,
  { name, fingerprint, authorities }: TlsPeer,
): Promise<Result<TLSSocket, Failure<'SEND_FAILED'>>> {
  const options = tlsOptions(name, authorities)
  const secured = connect({
    ...options,
    socket,
    host: name,
    ...(fingerprint === undefined ? {} : { rejectUnauthorized: false }),
  })
  return new Promise((resolve) => {
    const failed = (why: string): void => {
      secured.on('error', () => {}).destroy()
      resolve(refuse('SEND_FAILED', why))
    }
    secured.once('error', (error) => {
      const code = errorCode(error) ?? systemReason(error)
      const explained = explainTls(code, name, MORE_AUTHORITIES)
      failed(explained === undefined ? code : `${explained} (${code})`)
    })
    secured.once('close', () => failed('the connection was closed'))
    secured.once('secureConnect', () => {
      const shown = secured.getPeerX509Certificate()?.fingerprint256
      if (fingerprint !== undefined && shown !== fingerprint)
        failed(`its certificate has another fingerprint than GATEWAY_FINGERPRINT: ${shown ?? 'none'}`)
      else resolve(ok(secured))
    })
  })
}
