/**
 * What the receiver reports to the warden about a packet that it could open. An attacker may control the receiver, so
 * all of it is read field by field. The warden decides whether the stanza allows the request.
 */
import type { Request } from '../../access/decide.ts'
import type { GnupgReport } from '../../access/gnupg-report.ts'
import type { StanzaEncryption, StanzaId } from '../../access/stanza.ts'
import { WAYS, type Way } from '../../capture/capture.ts'
import { LOOPBACK_INDEX } from '../../capture/disbelief.ts'
import {
  either,
  integer,
  list,
  literal,
  mapped,
  packetText,
  parsed,
  printableAscii,
  type Reader,
  record,
  text,
} from '../../json-reader.ts'
import { type IpAddress, parseAddress } from '../../packet/address.ts'
import type { HostName, Message } from '../../packet/message.ts'
import { parseHostName } from '../../packet/nat-target.ts'
import type { FwknopDigest, ReplayDigest } from '../../packet/replay-digest.ts'
import { parseUsername } from '../../packet/username.ts'
import {
  MAX_CLIENT_TIMEOUT,
  MAX_NAT_HOST_LENGTH,
  MAX_PORTS,
  MAX_TEXT_LENGTH,
  MAX_TIME,
  MAX_VERSION_LENGTH,
  RANDOM_DIGITS,
} from '../../packet/wire-limits.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { type Port, port, seconds, unixSeconds } from '../../units.ts'
import type { Attestation } from './attestation.ts'
import { sha256Base64 } from './sha256-base64.ts'
import { gnupgReport } from './signature-report.ts'

export interface Knock {
  /** One stanza whose keys opened the packet. It implies all others with the same keys. */
  readonly openedBy: StanzaId
  readonly digest: ReplayDigest
  readonly fwknopDigest: FwknopDigest
  readonly message: Message
  readonly packet: {
    readonly source: IpAddress
    /** 0 if it came by ICMP. So is the other one. */
    readonly sourcePort: Port
    readonly destination?: IpAddress
    readonly destinationPort: Port
    /** Index of the interface where it arrived. Absent if the kernel judged the packet itself (CAPTURE udp). */
    readonly interfaceIndex?: number
    /** Absent for UDP by a packet socket, which is most of them. */
    readonly way?: Way
  }
  /** The packet as it came, without a prefix. Only where the log is to show it. */
  readonly text?: string
  /** It came in an HTTP request. */
  readonly http?: true
  /** X-Forwarded-For of the HTTP request that carried it. */
  readonly forwardedFor?: IpAddress
  /** For a packet that GnuPG opened: what the GnuPG process says of it, and vouches for. */
  readonly gnupg?: GnupgReport & { readonly attestation: Attestation }
}

/** The kind of the keys that opened it. */
export function keyKindOf({ gnupg }: Pick<Knock, 'gnupg'>): StanzaEncryption['kind'] {
  return gnupg === undefined ? 'symmetric' : 'gnupg'
}

/** A knock as a request to policy. */
export function requestOf({ message, packet, forwardedFor, gnupg }: Knock): Request {
  return {
    message,
    packetSource: packet.source,
    ...(packet.destination === undefined ? {} : { packetDestination: packet.destination }),
    packetPort: packet.destinationPort,
    ...(forwardedFor === undefined ? {} : { forwardedFor }),
    ...(gnupg === undefined ? {} : { gnupg: { signature: gnupg.signature, decryptIds: gnupg.decryptIds } }),
    ...((packet.way === 'pcap-file' || packet.interfaceIndex === LOOPBACK_INDEX) && { mayNameLoopback: true }),
  }
}

/** Characters. A longer packet is none. */
const MAX_WIRE_TEXT = 1500
/** The kernel's index is a positive int. */
export const MAX_INTERFACE_INDEX = 0x7fff_ffff

const address = parsed(parseAddress)
const portNumber: Reader<Port> = mapped(integer({ min: 1, max: 65535 }), port)
const isTrue: Reader<true> = (value) => (value === true ? true : undefined)
const packetPort = mapped(integer({ min: 0, max: 65535 }), (number) => number as Port)
/** How a packet came. */
export const way: Reader<Way> = mapped(text({ max: 20 }), (word) => WAYS.find((known) => known === word))
const randomValue = mapped(text({ max: RANDOM_DIGITS }), (random) =>
  /^[0-9]+$/.test(random) && random.length === RANDOM_DIGITS ? random : undefined,
)
const hostName: Reader<HostName> = mapped(record({ name: text({ max: MAX_TEXT_LENGTH }) }, {}), ({ name }) =>
  parseHostName(name).ok ? { name } : undefined,
)

const header = {
  random: randomValue,
  username: parsed(parseUsername),
  timestamp: mapped(integer({ min: 0, max: MAX_TIME }), unixSeconds),
  version: printableAscii({ max: MAX_VERSION_LENGTH }),
  source: either(literal('packet-source'), address),
}
const protocolPort = record({ protocol: either(literal('tcp'), literal('udp')), port: portNumber }, {})
const ports = list(protocolPort, { min: 1, max: MAX_PORTS })
const serverAuth = packetText({ max: MAX_TEXT_LENGTH })
const timed = { serverAuth, timeout: mapped(integer({ min: 0, max: MAX_CLIENT_TIMEOUT }), seconds) }

const message: Reader<Message> = either(
  record({ kind: literal('access'), ...header, ports }, timed),
  record(
    {
      kind: literal('localNatAccess'),
      ...header,
      ports,
      localPort: portNumber,
      host: printableAscii({ max: MAX_NAT_HOST_LENGTH }),
    },
    timed,
  ),
  record(
    {
      kind: literal('natAccess'),
      ...header,
      ports,
      target: record({ host: either(address, hostName), port: portNumber }, {}),
    },
    timed,
  ),
  record(
    {
      kind: literal('close'),
      ...header,
      ports: list(protocolPort, { min: 0, max: MAX_PORTS }),
    },
    { serverAuth },
  ),
  record({ kind: literal('command'), ...header, command: packetText({ max: MAX_TEXT_LENGTH }) }, { serverAuth }),
)

const attestation = mapped(sha256Base64, (text) => text as Attestation)

const knock: Reader<Knock> = record(
  {
    openedBy: mapped(integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (id) => id as StanzaId),
    digest: mapped(sha256Base64, (digest) => digest as ReplayDigest),
    fwknopDigest: mapped(sha256Base64, (digest) => digest as FwknopDigest),
    message,
    packet: record(
      { source: address, sourcePort: packetPort, destinationPort: packetPort },
      { destination: address, interfaceIndex: integer({ min: 1, max: MAX_INTERFACE_INDEX }), way },
    ),
  },
  {
    text: printableAscii({ max: MAX_WIRE_TEXT }),
    forwardedFor: address,
    http: isTrue,
    gnupg: record({ ...gnupgReport, attestation }, {}),
  },
)

/** Reads a value from the channel. Never throws. */
export function parseKnock(value: unknown): Result<Knock, Failure<'WARDEN_PROTOCOL'>> {
  const read = knock(value)
  return read === undefined ? refuse('WARDEN_PROTOCOL', 'an invalid knock') : ok(read)
}
