/**
 * The messages between `ghostport cluster` and the process that talks to etcd for it. That process reads bytes of a
 * network, so it may be in the hands of an attacker. It hands back a report, and nothing that the command runs.
 */
import { parseSteps, parseSurvey } from '../../etcd/survey-report.ts'
import { either, literal, printableAscii, type Read, type Reader, record, text } from '../../json-reader.ts'
import {
  clusterName,
  etcdLogin,
  etcdMembers,
  etcdTls,
  LONGEST_PASSWORD,
  LONGEST_TO_CLUSTER,
} from './cluster-protocol.ts'

/** The process’s end of the socket pair to the command. */
export const ERRAND_CHANNEL = 3
/** Bytes of the longest line, in either direction. */
export const LONGEST_ERRAND = LONGEST_TO_CLUSTER

const access = { members: etcdMembers, cluster: clusterName }

const errand = either(
  record({ type: literal('survey'), ...access }, { tls: etcdTls, login: etcdLogin }),
  record(
    {
      type: literal('prepare'),
      ...access,
      login: etcdLogin,
      user: text({ max: 256 }),
      password: text({ max: LONGEST_PASSWORD }),
      rehearsal: either(literal('yes'), literal('no')),
    },
    { tls: etcdTls },
  ),
)
export type Errand = Read<typeof errand>

const result = either(
  record({ type: literal('survey'), survey: parseSurvey }, {}),
  record({ type: literal('prepared'), steps: parseSteps }, { why: printableAscii({ max: 400 }) }),
  record({ type: literal('failed'), why: printableAscii({ max: 400 }) }, {}),
)
export type ErrandResult = Read<typeof result>

/** @returns undefined for what is no such message. */
export const parseErrand: Reader<Errand> = errand
export const parseErrandResult: Reader<ErrandResult> = result
