/**
 * What a look at a cluster found, as one process tells it to another. Who looked has read bytes of a network, so the
 * reader is strict: texts are printable, and lists have an end.
 */
import { either, integer, list, literal, printableAscii, type Read, type Reader, record } from '../json-reader.ts'

const why = printableAscii({ max: 400 })
const name = printableAscii({ max: 300 })
const whole = integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const yesNo = either(literal('yes'), literal('no'))
const time = integer({ min: -100_000_000_000, max: 100_000_000_000 })
const failed = record({ why }, {})

const member = record(
  { at: name },
  {
    /** Why it did not answer. */
    why,
    /** Its id in etcd, and who it believes leads. Decimal. */
    id: name,
    leader: name,
    /** Where it does not tell those: whether it leads, and whether another one or itself does. */
    leads: yesNo,
    isLed: yesNo,
    /** Of etcd. */
    version: name,
    databaseBytes: whole,
    databaseInUse: whole,
    quotaBytes: whole,
    /** How long its answer took, in milliseconds. */
    tookMs: whole,
    /** Seconds since 1970 by its clock, less those by the clock of this host. */
    clockAhead: time,
    /** The end of its certificate: seconds since 1970. */
    certificateUntil: time,
  },
)

const readSurvey = record(
  {
    /** In the order in which they were named. */
    members: list(member, { min: 1, max: 16 }),
    /** Whether etcd asks who somebody is. */
    auth: either(literal('on'), literal('off'), literal('unknown')),
    login: either(record({ good: literal('yes') }, {}), record({ none: literal('yes') }, {}), failed),
  },
  {
    /** All members that etcd counts. */
    peers: either(
      record({ list: list(record({ id: name, name, learner: yesNo }, {}), { min: 0, max: 64 }) }, {}),
      failed,
    ),
    alarms: either(record({ list: list(record({ id: name, kind: name }, {}), { min: 0, max: 128 }) }, {}), failed),
    /** Of the user that logged in. `beyond`: what it may touch that is not of this cluster. */
    permissions: either(
      record({ roles: list(name, { min: 0, max: 64 }), covers: yesNo, beyond: list(name, { min: 0, max: 100 }) }, {}),
      failed,
    ),
    /** Whether etcd holds that user to its permissions in every transaction. */
    bound: yesNo,
    /** Whether etcd, which asks for logins, tells its members to somebody without one, and without a certificate. */
    talkative: yesNo,
    /** The number of the last change, and of the oldest that etcd still has. */
    revision: whole,
    oldestRevision: whole,
    /** Used packets that etcd keeps. */
    used: whole,
    /** The newest version of the users of the cluster. 0: there are none. */
    usersVersion: whole,
    /** Until when no packet counts as new: seconds since 1970. */
    closedUntil: whole,
    nodes: either(
      record(
        {
          list: list(record({ node: name, version: name, life: whole, at: whole, instance: name, twin: yesNo }, {}), {
            min: 0,
            max: 500,
          }),
          /** This host’s clock when they were read. */
          now: whole,
        },
        {},
      ),
      failed,
    ),
  },
)

export type Survey = Read<typeof readSurvey>
export type SurveyedMember = Survey['members'][number]
export type Failed = Read<typeof failed>

/** @returns undefined for what is no survey. */
export const parseSurvey: Reader<Survey> = readSurvey

/** One thing that etcd needs for a cluster, and whether it was there. */
const step = record(
  {
    what: name,
    state: either(literal('there'), literal('made'), literal('missing')),
  },
  {},
)
export const parseSteps = list(step, { min: 0, max: 8 })
export type PreparedStep = Read<typeof step>
