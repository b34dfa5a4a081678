/**
 * Ends a TCP connection of a socket on this host: SOCK_DESTROY of sock_diag (linux/inet_diag.h), as `ss --kill` does.
 * The kernel sends a reset to the other end, and the program here reads an error. Pure.
 */
import { addressBytes, familyOf } from '../../packet/address.ts'
import { encodeMessage, NLM_F_ACK, NLM_F_REQUEST } from '../../system/netlink.ts'
import { type Direction, TCP } from './tracked.ts'

const SOCK_DESTROY = 21
/** struct inet_diag_req_v2 */
const REQUEST_LENGTH = 56
/** TCP_LISTEN and TIME_WAIT are not connections. */
const ESTABLISHED_AND_OTHERS = 0xfff & ~(1 << 10)
const AF_INET = 2
const AF_INET6 = 10
/** In both words of the cookie: any socket. */
const NO_COOKIE = 0xffff_ffff

/** @param reply as the service answers: from the local end to the client. */
export function destroySocket(reply: Direction): Uint8Array {
  const request = new Uint8Array(REQUEST_LENGTH)
  const view = new DataView(request.buffer)
  request[0] = familyOf(reply.source) === 4 ? AF_INET : AF_INET6
  request[1] = TCP
  view.setUint32(4, ESTABLISHED_AND_OTHERS, true)
  view.setUint16(8, reply.sourcePort)
  view.setUint16(10, reply.destinationPort)
  request.set(addressBytes(reply.source), 12)
  request.set(addressBytes(reply.destination), 28)
  view.setUint32(48, NO_COOKIE, true)
  view.setUint32(52, NO_COOKIE, true)
  return encodeMessage({ type: SOCK_DESTROY, flags: NLM_F_REQUEST | NLM_F_ACK, sequence: 1 }, request, [])
}
