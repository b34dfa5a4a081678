/**
 * What nodes tell each other of grants (docs/WIRE.md § 20): one knock at one node opens at others. Each record has its
 * end in it. Read strictly: a record of another version counts as none.
 */
import { parseStanzaName } from '../access/stanza-name.ts'
import { nodeName } from '../config/server/cluster-settings.ts'
import {
  either,
  integer,
  list,
  literal,
  mapped,
  parsed,
  printableAscii,
  type Read,
  type Reader,
  record,
  text,
} from '../json-reader.ts'
import { type IpAddress, parseAddress } from '../packet/address.ts'
import type { ReplayDigest } from '../packet/replay-digest.ts'
import { parseUsername } from '../packet/username.ts'
import { MAX_PORTS, MAX_TIME } from '../packet/wire-limits.ts'
import { port, unixSeconds } from '../units.ts'
import { type RecordId, recordId } from './record-name.ts'

const version: Reader<1> = (value) => (value === 1 ? 1 : undefined)
const time = mapped(integer({ min: 0, max: MAX_TIME }), unixSeconds)
const address = parsed(parseAddress)
const node = parsed(nodeName)
const code = mapped(text({ max: 40 }), (word) => (/^[A-Z][A-Z_]+$/.test(word) ? word : undefined))

/** `grant/ID`: what a knock asked for, after the node that got it has granted it. */
export const readGrantRecord = record(
  {
    v: version,
    /** The NAME of the stanza. */
    name: parsed(parseStanzaName),
    user: parsed(parseUsername),
    /** Whom it is for, as the packet says. `packet-source`: it says nothing, and it is for {@link from}. */
    source: either(literal('packet-source'), address),
    /** Where the packet came from. */
    from: address,
    ports: list(
      record(
        { protocol: either(literal('tcp'), literal('udp')), port: mapped(integer({ min: 1, max: 65_535 }), port) },
        {},
      ),
      { min: 1, max: MAX_PORTS },
    ),
    made: time,
    /** No node has it open after this. */
    end: time,
    /** Names and patterns of nodes. */
    gates: list(printableAscii({ max: 63 }), { min: 1, max: 32 }),
    /** Which node granted it. */
    node,
  },
  {},
)
export type GrantRecord = Read<typeof readGrantRecord>

/** Whom it is for. */
export function whomFor({ source, from }: Pick<GrantRecord, 'source' | 'from'>): IpAddress {
  return source === 'packet-source' ? from : source
}

/** `revocation/ID`: the grant ends now. `close`: its own client closed it, and connections go on. */
export const readRevocationRecord = record(
  { v: version, end: time, node, how: either(literal('revoke'), literal('close')) },
  {},
)
export type RevocationRecord = Read<typeof readRevocationRecord>

/** `opened/ID/NODE`: what a node made of the grant. */
export const readOpenedRecord = either(
  record({ v: version, until: time }, {}),
  record({ v: version, refused: code }, {}),
  record({ v: version, closed: time }, {}),
)
export type OpenedRecord = Read<typeof readOpenedRecord>

/** `node/NODE`: the node is there, and follows the records. */
export const readNodeRecord = record({ v: version, seen: time }, {})

/** The id of the grant of a packet. */
export function grantRecordId(digest: ReplayDigest): RecordId {
  const id = recordId(digest.replaceAll('+', '-').replaceAll('/', '_'))
  if (id === undefined) throw new Error('a digest is base64')
  return id
}

/** @returns the id of the grant, and the node; undefined for what is no id of an `opened` record. */
export function splitOpenedId(id: RecordId): { readonly grant: RecordId; readonly node: string } | undefined {
  const [first = '', second] = id.split('/')
  const grant = recordId(first)
  return grant === undefined || second === undefined ? undefined : { grant, node: second }
}

export function openedId(grant: RecordId, node: string): RecordId {
  const id = recordId(`${grant}/${node}`)
  if (id === undefined) throw new Error('a grant and a node have names')
  return id
}
