/**
 * The mark of one connection, as the kernel's connection tracking has it. A connection that a grant let in carries
 * ghostport's mark, so this tells which ssh session came through a knock, also where sudo has cleared SSH_CONNECTION.
 * The message is that of ctnetlink (linux/netfilter/nfnetlink_conntrack.h).
 */
import { constants } from 'node:os'
import { NFGENMSG_LENGTH } from '../../firewall/nftables/netlink.ts'
import { addressBytes, familyOf, type IpAddress } from '../../packet/address.ts'
import { describeErrno } from '../../system/errno.ts'
import {
  encodeAttribute,
  encodeMessage,
  errnoOf,
  NLM_F_REQUEST,
  NLMSG_ERROR,
  readAttributes,
  readMessages,
} from '../../system/netlink.ts'
import type { Port } from '../../units.ts'
import { type Known, known, notKnown } from '../known.ts'
import type { Looker } from '../looker.ts'

/** A TCP connection to this host. */
export interface Connection {
  readonly peer: IpAddress
  readonly peerPort: Port
  readonly local: IpAddress
  readonly localPort: Port
}

/** The same for the same connection only. */
export function keyOf({ peer, peerPort, local, localPort }: Connection): string {
  return `${peer} ${peerPort} ${local} ${localPort}`
}

const NFNL_SUBSYS_CTNETLINK = 1
const IPCTNL_MSG_CT_GET = 1
const AF_INET = 2
const AF_INET6 = 10
const NESTED = 0x8000
const CTA_TUPLE_REPLY = 2
const CTA_MARK = 8
const CTA_TUPLE_IP = 1
const CTA_TUPLE_PROTO = 2
const CTA_IP_V4_SRC = 1
const CTA_IP_V4_DST = 2
const CTA_IP_V6_SRC = 3
const CTA_IP_V6_DST = 4
const CTA_PROTO_NUM = 1
const CTA_PROTO_SRC_PORT = 2
const CTA_PROTO_DST_PORT = 3
const TCP = 6
const { ENOENT } = constants.errno

/** @returns the mark, 0 for none; undefined if the kernel does not track the connection. */
export async function lookAtMark(looker: Looker, connection: Connection): Promise<Known<number | undefined>> {
  const answers = await looker.netfilter(askForConnection(connection))
  if (!answers.known) return answers
  return answers.value[0] === undefined ? notKnown('the kernel did not answer') : readMark(answers.value[0])
}

/**
 * A question by the tuple of this host's answers. That of the first packet would not do: where a grant led the port
 * elsewhere, it names another port than the socket has.
 */
export function askForConnection({ peer, peerPort, local, localPort }: Connection): Uint8Array {
  const is4 = familyOf(peer) === 4
  const nested = (type: number, ...parts: readonly Uint8Array[]): Uint8Array =>
    encodeAttribute(type | NESTED, concat(parts))
  const tuple = nested(
    CTA_TUPLE_REPLY,
    nested(
      CTA_TUPLE_IP,
      encodeAttribute(is4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, addressBytes(local)),
      encodeAttribute(is4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, addressBytes(peer)),
    ),
    nested(
      CTA_TUPLE_PROTO,
      encodeAttribute(CTA_PROTO_NUM, Uint8Array.of(TCP)),
      encodeAttribute(CTA_PROTO_SRC_PORT, bigEndian16(localPort)),
      encodeAttribute(CTA_PROTO_DST_PORT, bigEndian16(peerPort)),
    ),
  )
  const fixed = new Uint8Array(NFGENMSG_LENGTH)
  fixed[0] = is4 ? AF_INET : AF_INET6
  const type = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET
  return encodeMessage({ type, flags: NLM_F_REQUEST, sequence: 1 }, fixed, [tuple])
}

/** @param datagram the answer to {@link askForConnection}. */
export function readMark(datagram: Uint8Array): Known<number | undefined> {
  for (const message of readMessages(datagram)) {
    if (message === undefined) break
    if (message.type === NLMSG_ERROR) {
      const errno = errnoOf(message)
      if (errno === ENOENT) return known(undefined)
      return notKnown(`the kernel does not show the connection: ${describeErrno(errno)}`)
    }
    const mark = readAttributes(message.body.subarray(NFGENMSG_LENGTH)).get(CTA_MARK)
    // Without the mark's own support in the kernel there is no such attribute.
    if (mark === undefined || mark.length < 4) return notKnown('the kernel does not show the mark of the connection')
    return known(new DataView(mark.buffer, mark.byteOffset).getUint32(0))
  }
  return notKnown('the kernel’s answer is not valid')
}

function bigEndian16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff)
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
