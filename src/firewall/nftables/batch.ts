/**
 * Commands as the kernel reads them: a batch of nfnetlink (linux/netfilter/nfnetlink.h, nf_tables.h). libnftables makes
 * the same bytes from text, but its parser needs four times as long as the kernel (docs/BENCHMARKS.md).
 */
import type { TableName } from '../../config/server/firewall-settings.ts'
import { addressBytes, type IpAddress } from '../../packet/address.ts'
import { PROTOCOL_NUMBERS } from '../../packet/protocol-port.ts'
import { MessageWriter, NLM_F_CREATE, NLM_F_REQUEST } from '../../system/netlink.ts'
import type { Command, TimedElement } from './commands.ts'
import {
  ATTR_ELEMENTS,
  ATTR_SET,
  ATTR_TABLE,
  COMMENT,
  ELEMENT_DATA,
  ELEMENT_KEY,
  ELEMENT_TIMEOUT,
  ELEMENT_USERDATA,
  NFNL_SUBSYS_NFTABLES,
  NFPROTO_INET,
  nftablesType,
} from './netlink.ts'
import { type Field, shapeOf } from './sets.ts'

/** The character code of the digit. The code of a dot is lower. */
const ZERO = 48
const BATCH_BEGIN = 0x10
const BATCH_END = 0x11
const NEW_ELEMENTS = nftablesType(12)
const DELETE_ELEMENTS = nftablesType(14)
/** The types of an element in its list, and of the bytes in a value. */
const LIST_ELEMENT = 1
const DATA_VALUE = 1
/** After this many bytes of elements a new message begins. An attribute holds 65 531, and errors repeat the message. */
const MESSAGE_FULL = 16_384

export interface Batch {
  readonly bytes: Uint8Array
  /** The sequence number of the message that the kernel acknowledges after the whole batch. */
  readonly last: number
}

/**
 * @param commands at least one.
 * @param first the sequence number of the first message. The next ones count upwards.
 */
export function encodeBatch(table: TableName, commands: readonly Command[], first: number): Batch {
  const writer = new MessageWriter()
  let sequence = first
  writeEdge(writer, BATCH_BEGIN, sequence)
  for (const { verb, set, elements } of commands) {
    // Without NLM_F_EXCL, an element that exists already is no error.
    const [type, flags] =
      verb === 'add' ? [NEW_ELEMENTS, NLM_F_REQUEST | NLM_F_CREATE] : [DELETE_ELEMENTS, NLM_F_REQUEST]
    for (let at = 0; at < elements.length; ) {
      writer.begin(type, flags, ++sequence)
      writeHead(writer, NFPROTO_INET, 0)
      writer.string(ATTR_TABLE, table)
      writer.string(ATTR_SET, set)
      const full = writer.length + MESSAGE_FULL
      const list = writer.openNested(ATTR_ELEMENTS)
      for (let one = elements[at]; one !== undefined && writer.length < full; one = elements[++at])
        writeElement(writer, one, verb)
      writer.close(list)
      writer.end()
    }
  }
  writer.askForAnswer()
  writeEdge(writer, BATCH_END, sequence + 1)
  return { bytes: writer.written(), last: sequence }
}

function writeElement(writer: MessageWriter, { element, timeout }: TimedElement, verb: Command['verb']): void {
  const { set, key, value, comment } = element
  const shape = shapeOf(set)
  const start = writer.openNested(LIST_ELEMENT)
  writeFields(writer, ELEMENT_KEY, key, shape.key)
  // The kernel finds it by its key alone.
  if (verb === 'delete') {
    writer.close(start)
    return
  }
  if (value !== undefined && shape.value !== undefined) writeFields(writer, ELEMENT_DATA, value, shape.value)
  const time = writer.open(ELEMENT_TIMEOUT)
  writer.uint64(timeout)
  writer.close(time)
  if (comment !== undefined) {
    const data = writer.open(ELEMENT_USERDATA)
    // nftables keeps comments as type, length (a byte each) and a C string.
    writer.uint8(COMMENT)
    writer.uint8(comment.length + 1)
    writer.cString(comment)
    writer.close(data)
  }
  writer.close(start)
}

type Fields = readonly Field[]

/** The text of a key or a value. Each field of a concatenation is padded to four bytes. */
function writeFields(writer: MessageWriter, type: number, text: string, fields: Fields): void {
  const outer = writer.openNested(type)
  const inner = writer.open(DATA_VALUE)
  let at = 0
  for (const field of fields) {
    const end = text.indexOf(' . ', at)
    writeField(writer, field, end < 0 ? text.slice(at) : text.slice(at, end))
    if (fields.length > 1) writer.pad()
    at = end + 3
  }
  writer.close(inner)
  writer.close(outer)
}

function writeField(writer: MessageWriter, field: Field, text: string): void {
  switch (field) {
    case 'ipv4_addr':
      writeQuad(writer, text)
      break
    case 'ipv6_addr':
      writer.bytes(addressBytes(text as IpAddress))
      break
    case 'inet_proto':
      writer.uint8(text === 'tcp' ? PROTOCOL_NUMBERS.tcp : PROTOCOL_NUMBERS.udp)
      break
    case 'inet_service':
      writer.uint16(Number(text))
      break
    case 'mark':
      writer.hostUint32(Number(text))
      break
    default:
      field satisfies never
  }
}

/** Begins or ends a batch. */
function writeEdge(writer: MessageWriter, type: number, sequence: number): void {
  writer.begin(type, NLM_F_REQUEST, sequence)
  writeHead(writer, 0, NFNL_SUBSYS_NFTABLES)
  writer.end()
}

/** struct nfgenmsg. @param resource for the edges of a batch: its subsystem. */
function writeHead(writer: MessageWriter, family: number, resource: number): void {
  writer.uint8(family)
  writer.uint8(0)
  writer.uint16(resource)
}

/** An IPv4 address. Each grant has one, and `addressBytes` would check again what is checked already. */
function writeQuad(writer: MessageWriter, text: string): void {
  let number = 0
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - ZERO
    if (digit >= 0) number = 10 * number + digit
    else {
      writer.uint8(number)
      number = 0
    }
  }
  writer.uint8(number)
}
