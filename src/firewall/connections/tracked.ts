/**
 * Connections as the kernel tracks them: the messages of ctnetlink (linux/netfilter/nfnetlink_conntrack.h) that list
 * them and end their tracking. Pure.
 */
import { concatBytes } from '../../bytes/bytes.ts'
import { type AddressFamily, addressBytes, addressFromBytes, familyOf, type IpAddress } from '../../packet/address.ts'
import {
  encodeAttribute,
  encodeMessage,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  readAttributes,
} from '../../system/netlink.ts'
import { NFGENMSG_LENGTH } from '../nftables/netlink.ts'

/** One direction of a connection. Ports are 0 where the protocol has none. */
export interface Direction {
  readonly source: IpAddress
  readonly sourcePort: number
  readonly destination: IpAddress
  readonly destinationPort: number
}

/** A connection in the kernel's table. */
export interface Tracked {
  /** The number of its protocol: 6 is TCP. */
  readonly protocol: number
  /** As the client sends: to the public address and port. */
  readonly original: Direction
  /** As the answers are sent, before any translation back: from the service itself. */
  readonly reply: Direction
  readonly mark: number
  /** A TCP connection that both ends have closed. The kernel remembers it for a while. */
  readonly isOver: boolean
  /** Its service sent the first packet. The directions are swapped then: `reply` is that of the service, as always. */
  readonly isFromService?: true
  /** Milliseconds since 1970. Known only with the kernel's `net.netfilter.nf_conntrack_timestamp`. */
  readonly startedAt?: number
}

const NFNL_SUBSYS_CTNETLINK = 1
const IPCTNL_MSG_CT_NEW = 0
const IPCTNL_MSG_CT_GET = 1
const IPCTNL_MSG_CT_DELETE = 2
const AF_INET = 2
const AF_INET6 = 10
const NESTED = 0x8000
const CTA_TUPLE_ORIG = 1
const CTA_TUPLE_REPLY = 2
const CTA_PROTOINFO = 4
export const CTA_MARK = 8
const CTA_TIMESTAMP = 20
const CTA_TIMESTAMP_START = 1
const CTA_MARK_MASK = 21
const CTA_TUPLE_IP = 1
const CTA_TUPLE_PROTO = 2
const CTA_IP_V4_SRC = 1
const CTA_IP_V4_DST = 2
const CTA_IP_V6_SRC = 3
const CTA_IP_V6_DST = 4
const CTA_PROTOINFO_TCP = 1
const CTA_PROTOINFO_TCP_STATE = 1
/** TCP_CONNTRACK_TIME_WAIT; TCP_CONNTRACK_CLOSE is the next. */
const TIME_WAIT = 7
const CTA_PROTO_NUM = 1
const CTA_PROTO_SRC_PORT = 2
const CTA_PROTO_DST_PORT = 3
export const TCP = 6
export const UDP = 17

/** @param mark bits of which each connection must carry all. Absent: every connection. */
export function askForAll(family: AddressFamily, mark?: number): Uint8Array {
  const filter =
    mark === undefined
      ? []
      : [encodeAttribute(CTA_MARK, bigEndian32(mark)), encodeAttribute(CTA_MARK_MASK, bigEndian32(mark))]
  const type = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET
  return encodeMessage({ type, flags: NLM_F_REQUEST | NLM_F_DUMP, sequence: 1 }, fixedPart(family), filter)
}

/** Asks for the connection whose answers have this direction. */
export function askForReply(protocol: number, direction: Direction): Uint8Array {
  const type = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET
  return encodeMessage({ type, flags: NLM_F_REQUEST, sequence: 1 }, fixedPart(familyOf(direction.source)), [
    encodeTuple(CTA_TUPLE_REPLY, protocol, direction),
  ])
}

/** Ends the tracking of the connection that has this direction. The kernel confirms it. */
export function endTracking(protocol: number, direction: Direction): Uint8Array {
  const type = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE
  return encodeMessage({ type, flags: NLM_F_REQUEST | NLM_F_ACK, sequence: 2 }, fixedPart(familyOf(direction.source)), [
    encodeTuple(CTA_TUPLE_ORIG, protocol, direction),
  ])
}

/** @returns undefined for a message that is no connection. */
export function readTracked({ type, body }: NetlinkMessage): Tracked | undefined {
  if (type !== ((NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_NEW)) return undefined
  const attributes = readAttributes(body.subarray(NFGENMSG_LENGTH))
  const original = readTuple(attributes.get(CTA_TUPLE_ORIG))
  const reply = readTuple(attributes.get(CTA_TUPLE_REPLY))
  if (original === undefined || reply === undefined) return undefined
  const mark = attributes.get(CTA_MARK)
  const times = attributes.get(CTA_TIMESTAMP)
  const start = times && readAttributes(times).get(CTA_TIMESTAMP_START)
  return {
    protocol: original.protocol,
    original: original.direction,
    reply: reply.direction,
    mark: mark?.length === 4 ? viewOf(mark).getUint32(0) : 0,
    isOver: tcpStateIn(attributes.get(CTA_PROTOINFO)) >= TIME_WAIT,
    ...(start?.length === 8 && { startedAt: Number(viewOf(start).getBigUint64(0) / 1_000_000n) }),
  }
}

function encodeTuple(
  which: number,
  protocol: number,
  { source, destination, sourcePort, destinationPort }: Direction,
): Uint8Array {
  const is4 = familyOf(source) === 4
  const ported = protocol === TCP || protocol === UDP
  return nested(
    which,
    nested(
      CTA_TUPLE_IP,
      encodeAttribute(is4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, addressBytes(source)),
      encodeAttribute(is4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, addressBytes(destination)),
    ),
    nested(
      CTA_TUPLE_PROTO,
      encodeAttribute(CTA_PROTO_NUM, Uint8Array.of(protocol)),
      ...(ported
        ? [
            encodeAttribute(CTA_PROTO_SRC_PORT, bigEndian16(sourcePort)),
            encodeAttribute(CTA_PROTO_DST_PORT, bigEndian16(destinationPort)),
          ]
        : []),
    ),
  )
}

function readTuple(
  bytes: Uint8Array | undefined,
): { readonly protocol: number; readonly direction: Direction } | undefined {
  if (bytes === undefined) return undefined
  const parts = readAttributes(bytes)
  const ip = parts.get(CTA_TUPLE_IP)
  const proto = parts.get(CTA_TUPLE_PROTO)
  if (ip === undefined || proto === undefined) return undefined
  const addresses = readAttributes(ip)
  const ports = readAttributes(proto)
  const source = addressIn(addresses.get(CTA_IP_V4_SRC) ?? addresses.get(CTA_IP_V6_SRC))
  const destination = addressIn(addresses.get(CTA_IP_V4_DST) ?? addresses.get(CTA_IP_V6_DST))
  const protocol = ports.get(CTA_PROTO_NUM)?.[0]
  if (source === undefined || destination === undefined || protocol === undefined) return undefined
  return {
    protocol,
    direction: {
      source,
      sourcePort: portIn(ports.get(CTA_PROTO_SRC_PORT)),
      destination,
      destinationPort: portIn(ports.get(CTA_PROTO_DST_PORT)),
    },
  }
}

/** 0 for another protocol. */
function tcpStateIn(info: Uint8Array | undefined): number {
  const tcp = info && readAttributes(info).get(CTA_PROTOINFO_TCP)
  return (tcp && readAttributes(tcp).get(CTA_PROTOINFO_TCP_STATE)?.[0]) ?? 0
}

function addressIn(bytes: Uint8Array | undefined): IpAddress | undefined {
  return bytes?.length === 4 || bytes?.length === 16 ? addressFromBytes(bytes) : undefined
}

function portIn(bytes: Uint8Array | undefined): number {
  return bytes?.length === 2 ? viewOf(bytes).getUint16(0) : 0
}

function fixedPart(family: AddressFamily): Uint8Array {
  const fixed = new Uint8Array(NFGENMSG_LENGTH)
  fixed[0] = family === 4 ? AF_INET : AF_INET6
  return fixed
}

function nested(type: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return encodeAttribute(type | NESTED, concatBytes(...parts))
}

function bigEndian16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff)
}

function bigEndian32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff)
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
