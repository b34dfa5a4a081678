/**
 * The messages between warden and cluster process. The cluster process reads what etcd sends, so it may be in the hands
 * of an attacker. It can say of a packet that it is first, used, or unknown. It hands over sealed records, which it can
 * neither make nor change (docs/WIRE.md § 20). No message of its opens anything.
 */
import { LONGEST_SEALED, readId, readKind, readSealed } from '../../cluster-record/record-name.ts'
import {
  either,
  integer,
  list,
  literal,
  mapped,
  printableAscii,
  type Read,
  type Reader,
  record,
  text,
} from '../../json-reader.ts'
import type { ReplayDigest } from '../../packet/replay-digest.ts'
import { LONGEST_AUTHORITIES } from '../../system/trusted-file.ts'
import { milliseconds, port, seconds } from '../../units.ts'
import { sha256Base64 } from './sha256-base64.ts'

/** The cluster process’s end of the socket pair to the warden. */
export const CLUSTER_CHANNEL = 3
/** Bytes of the longest line to it: a group of claims, or two files of certificates. */
export const LONGEST_TO_CLUSTER = 2 * 1024 * 1024
/** Characters of the longest password of a user of etcd. */
export const LONGEST_PASSWORD = 1024
/** Claims in one message. */
export const MOST_IN_MESSAGE = 1000
/** Changes of records in one message, and the characters of what is sealed in them. A line has 64 KiB at most. */
export const MOST_CHANGES = 100
export const MOST_SEALED_IN_MESSAGE = 3 * LONGEST_SEALED

const number = integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const digest = mapped(sha256Base64, (read) => read as ReplayDigest)
const time = mapped(integer({ min: 0, max: 600_000 }), milliseconds)
/** As long as a file of certificates may be. */
const pem = text({ max: LONGEST_AUTHORITIES })
const past = record(
  {
    cluster: text({ max: 20 }),
    revision: mapped(text({ max: 20 }), (read) => (/^[0-9]{1,20}$/.test(read) ? read : undefined)),
  },
  {},
)
const name = printableAscii({ max: 64 })
const isTrue: Reader<true> = (value) => (value === true ? true : undefined)

/** How etcd is reached, and as whom. */
export const etcdMembers = list(
  record({ host: printableAscii({ max: 255 }), port: mapped(integer({ min: 1, max: 65_535 }), port) }, {}),
  { min: 1, max: 16 },
)
export const etcdTls = record({}, { authorities: pem, own: record({ certificate: pem, key: pem }, {}) })
const password = text({ max: LONGEST_PASSWORD })
export const etcdLogin = record({ user: text({ max: 256 }), password }, { next: password })
export const clusterName = name

const toCluster = either(
  record(
    {
      type: literal('configure'),
      members: etcdMembers,
      cluster: name,
      node: name,
      life: mapped(integer({ min: 1, max: 1_000_000_000 }), seconds),
    },
    {
      tls: etcdTls,
      login: etcdLogin,
      /** Of ghostport. */
      version: printableAscii({ max: 60 }),
      past,
      /** Whether records are followed. */
      records: isTrue,
    },
  ),
  /** The files were read again. What is under way ends by the old ones. */
  record({ type: literal('renew') }, { tls: etcdTls, login: etcdLogin }),
  record(
    { type: literal('put'), number, limit: time, kind: readKind, id: readId, sealed: readSealed },
    {
      life: mapped(integer({ min: 1, max: 1_000_000_000 }), seconds),
      /** Only if there is no record of this name. */
      isNew: isTrue,
    },
  ),
  record({ type: literal('remove'), number, limit: time, kind: readKind, id: readId }, {}),
  record(
    {
      type: literal('claim'),
      limit: time,
      claims: list(record({ id: number, digest }, {}), { min: 1, max: MOST_IN_MESSAGE }),
    },
    {},
  ),
)
export type ToCluster = Read<typeof toCluster>
export type ConfigureCluster = Extract<ToCluster, { type: 'configure' }>

const why = printableAscii({ max: 400 })
const answer = either(
  record({ id: number, first: literal('yes') }, {}),
  record({ id: number, usedAt: name }, {}),
  record({ id: number, unknown: why }, {}),
)
const change = either(
  record({ kind: readKind, id: readId, sealed: readSealed }, {}),
  record({ kind: readKind, id: readId }, {}),
)
const fromCluster = either(
  record({ type: literal('started') }, {}),
  record({ type: literal('failed'), why }, {}),
  record({ type: literal('answers'), answers: list(answer, { min: 1, max: MOST_IN_MESSAGE }) }, {}),
  record({ type: literal('health'), took: time }, {}),
  record({ type: literal('health'), why }, {}),
  record({ type: literal('past'), past }, {}),
  record({ type: literal('written'), number }, { why }),
  record({ type: literal('changes'), changes: list(change, { min: 1, max: MOST_CHANGES }) }, {}),
  record({ type: literal('records'), state: either(literal('listing'), literal('following')) }, {}),
  /** `short`: of these kinds, only the first records were told. */
  record({ type: literal('records'), state: literal('listed') }, { short: list(readKind, { min: 1, max: 10 }) }),
  record({ type: literal('records'), state: literal('cut'), why }, {}),
)
export type FromCluster = Read<typeof fromCluster>
export type ClusterAnswer = Read<typeof answer>
/** A record that was written, or removed (no `sealed`). */
export type RecordChange = Read<typeof change>
/** How the records are followed: a list begins, has ended, each change is told, or nothing is told. */
export type RecordsState = Extract<FromCluster, { type: 'records' }>
/** What is known of the cluster from before: the id of etcd’s cluster, and the number of its last change. */
export type ClusterPast = Read<typeof past>

/** @returns undefined for what is no such message. */
export const parseToCluster: Reader<ToCluster> = toCluster
export const parseFromCluster: Reader<FromCluster> = fromCluster
export const parseClusterPast: Reader<ClusterPast> = past
