/**
 * Delivery as the path of an HTTP request over TLS, to a web server that passes it on to the SPA server. The
 * certificate is always verified, also where `NODE_TLS_REJECT_UNAUTHORIZED=0` is set.
 */
import { connect as connectTcp } from 'node:net'
import { connect, rootCertificates, type TLSSocket } from 'node:tls'
import { parseAddress } from '../packet/address.ts'
import { encodeHttpRequest, type ProxyLogin } from '../packet/http.ts'
import type { Delivery } from './delivery.ts'
import { explainTls, MORE_AUTHORITIES } from './explain-tls.ts'
import { type HttpDeliveryOptions, unwritable } from './http.ts'
import { ANSWER_LIMIT, CONNECT_LIMIT, sendOver } from './stream.ts'
import { openTunnel } from './tunnel.ts'

/** What a request says, and who is trusted. */
export interface HttpsDeliveryOptions extends Omit<HttpDeliveryOptions, 'proxy' | 'proxyUser' | 'proxyPassword'> {
  /** The name or address of the server, as its certificate has it. */
  readonly name: string
  /** Certificates of further authorities to trust, as PEM. */
  readonly authorities?: string
  /** Packets are addressed to a proxy, which is asked for a tunnel to the server (`HOST:PORT`). */
  readonly tunnel?: ProxyLogin & { readonly to: string }
}

/**
 * Delivery over HTTPS. The first line of the answer is waited for, since the web server may drop a request whose client
 * has gone. A proxy sees the name of the server, and not the packet.
 * @returns a delivery whose `send` is `SEND_FAILED` if no connection could be made, or if the certificate is not good.
 */
export function httpsDelivery(options: HttpsDeliveryOptions): Delivery {
  const {
    name,
    authorities,
    sourcePort,
    connectLimit = CONNECT_LIMIT,
    answerLimit = ANSWER_LIMIT,
    tunnel,
    ...request
  } = options
  return {
    async send({ text, address, port }, signal) {
      const encoded = encodeHttpRequest(text, request)
      if (!encoded.ok) return unwritable(encoded.failure)
      const target = {
        address,
        port,
        protocol: 'tcp',
        ...(sourcePort === undefined ? {} : { sourcePort }),
        ...(tunnel === undefined ? {} : { role: 'the proxy' }),
      }
      const to = { host: address, port, ...localPort(sourcePort) }
      let socket: TLSSocket
      if (tunnel === undefined) {
        socket = connect({ ...to, ...tlsOptions(name, authorities) })
        socket.setNoDelay(true)
      } else {
        const begun = connectTcp({ ...to, noDelay: true })
        const opened = await openTunnel(begun, { ...tunnel, target, limit: connectLimit, signal })
        if (!opened.ok) return opened
        socket = connect({ socket: begun, host: name, ...tlsOptions(name, authorities) })
      }
      const explain = (code: string) => explainTls(code, name, MORE_AUTHORITIES)
      const about = { ready: 'secureConnect', target, connectLimit, answerLimit, signal, explain } as const
      return sendOver({ socket, text: encoded.value, ...about })
    },
  }
}

function localPort(sourcePort: number | undefined): { readonly localPort?: number } {
  return sourcePort === undefined ? {} : { localPort: sourcePort }
}

/** @param name of the server, as its certificate has it. @param authorities more of them, as PEM. */
export function tlsOptions(name: string, authorities: string | undefined) {
  return {
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    // An address is no server name in TLS: then it is compared with the certificate alone.
    ...(parseAddress(name).ok ? {} : { servername: name }),
    ...(authorities === undefined ? {} : { ca: [...rootCertificates, authorities] }),
  } as const
}
