/**
 * The messages between warden and executor. The warden says which rule of the configuration to carry out, with which
 * values. The executor has read the configuration by itself: no message has a program or a user in it, except for what
 * a client may send as a command. Each side reads strictly.
 */
import type { CommandFacts } from '../../access/command.ts'
import type { CycleFacts } from '../../access/cycle.ts'
import type { RuleKey } from '../../access/rule-key.ts'
import { parseStanzaName, type StanzaName } from '../../access/stanza-name.ts'
import { decodeBase64 } from '../../bytes/base64.ts'
import type { CycleAbout } from '../../commands/ledger.ts'
import type { Ended } from '../../commands/run-program.ts'
import {
  either,
  integer,
  list,
  literal,
  mapped,
  packetText,
  parsed,
  type Reader,
  record,
  text,
} from '../../json-reader.ts'
import { type IpAddress, parseAddress } from '../../packet/address.ts'
import { parseUsername } from '../../packet/username.ts'
import { MAX_TEXT_LENGTH } from '../../packet/wire-limits.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { type Milliseconds, milliseconds, port, seconds } from '../../units.ts'
import { type HookEvent, hookEvent } from './hook-event.ts'
import { type SenderCounts, senderCounts } from './sender-protocol.ts'

/** The executor’s end of the socket pair to the warden. */
export const EXECUTOR_CHANNEL = 3

/** The number of a job, from 1. Unique while the warden runs. */
export type JobNumber = number

export interface CommandJob {
  readonly type: 'command'
  readonly job: JobNumber
  readonly rule: RuleKey
  /** As sent by the client. */
  readonly command: string
  readonly facts: CommandFacts
}

export interface CycleJob {
  readonly type: 'cycle'
  readonly job: JobNumber
  readonly rule: RuleKey
  readonly facts: CycleFacts
}

/** The closes of some cycles run now. Each order is answered by `closed now`. */
export interface CloseOrder {
  readonly type: 'close now'
  /** From 1. */
  readonly order: number
  /** Of these stanzas: NAMEs or numbers, as when it opened. Upper and lower case are the same. */
  readonly stanzas: readonly string[]
  /** Or for this address. */
  readonly source?: IpAddress
}

/** How the closes of an order ended: by their number. */
export interface CloseCounts {
  readonly good: number
  readonly failed: number
  /** Those that still run, or wait. */
  readonly unfinished: number
}

export type ToExecutor =
  /** Read the files again: the warden has read them, and found them good. */
  | { readonly type: 'configure' }
  | CommandJob
  | CycleJob
  | CloseOrder
  | { readonly type: 'hook'; readonly event: HookEvent }

/** How a program ended, for the log. */
export interface EndReport extends Omit<Ended, 'how'> {
  /** `refreshed`: the port was open already, and closes later now. */
  readonly how: Ended['how'] | 'refreshed'
  /** For cycles: the words that ran, with blanks between them, and those of the close that is owed now. */
  readonly ran?: string
  readonly close?: string
}

/** A cycle that is open, or was. */
export interface NewsReport {
  readonly what: 'open' | 'closed' | 'not closed'
  readonly key: string
  readonly about: CycleAbout
  /** For `open`: until the close. */
  readonly left?: Milliseconds
  /** For the others: the close command. */
  readonly report?: EndReport
  /** It closed before its time: its open command had failed, or was interrupted; or it was revoked. */
  readonly early?: 'yes' | 'revoked'
}

/** Why a program cannot run as another user, and what helps. */
export const FIXED_USER =
  'the unit of this service forbids to change the user. Allow it: “systemctl edit ghostport”, with the two lines ' +
  '“[Service]” and “CapabilityBoundingSet=CAP_SETUID CAP_SETGID”. Then restart the service'

export type FromExecutor =
  /** It reads jobs. `withoutSudo`: set-user-id programs do not work. `withoutUsers`: it cannot become another user. */
  | { readonly type: 'ready'; readonly withoutSudo?: 'yes'; readonly withoutUsers?: 'yes' }
  /** The files were read. `problem`: why they could not be; the rules of before stay. */
  | { readonly type: 'configured'; readonly problem?: string }
  /** Why it ends. No message follows. */
  | { readonly type: 'failed'; readonly detail: string }
  /** It has nothing to do: no rule is configured, and no close is owed. It ends. */
  | { readonly type: 'idle' }
  /** A program of a hook ended. */
  | { readonly type: 'hook'; readonly event: string; readonly report: EndReport }
  /** Hooks that were not run, because too many waited. */
  | { readonly type: 'hooks dropped'; readonly dropped: number }
  | { readonly type: 'webhook'; readonly counts: SenderCounts }
  /** What happened to a cycle that owes a close. */
  | { readonly type: 'cycle'; readonly news: NewsReport }
  | { readonly type: 'closed now'; readonly order: number; readonly counts: CloseCounts }
  | { readonly type: 'ended'; readonly job: JobNumber; readonly report: EndReport }

const MAX = Number.MAX_SAFE_INTEGER
/** A year. */
const LONGEST_CYCLE = 31_536_000
/** Of UTF-16 units. */
const LONGEST_DETAIL = 2000
/** The executor keeps 4096 bytes. */
const LONGEST_OUTPUT = 4096

const job = integer({ min: 1, max: MAX })
const count = integer({ min: 0, max: MAX })
const address = parsed(parseAddress)
const number = mapped(text({ max: 16 }), (read) => (/^[1-9][0-9]*$/.test(read) ? (read as `${number}`) : undefined))
const stanza: Reader<StanzaName | `${number}`> = either(parsed(parseStanzaName), number)
const rule = mapped(text({ max: 43 }), (key) => (decodeBase64(key)?.length === 32 ? (key as RuleKey) : undefined))
const facts: Reader<CommandFacts> = record(
  { source: address, packetSource: address, username: parsed(parseUsername), stanza },
  { packetDestination: address },
)
const portNumber = mapped(integer({ min: 1, max: 65_535 }), port)
const cycleFacts: Reader<CycleFacts> = record(
  {
    source: address,
    packetSource: address,
    username: parsed(parseUsername),
    stanza,
    seconds: mapped(integer({ min: 1, max: LONGEST_CYCLE }), seconds),
    port: record(
      { protocol: either(literal('tcp'), literal('udp')), port: portNumber },
      { nat: record({ host: address, port: portNumber }, {}) },
    ),
  },
  { packetDestination: address },
)

const toExecutor: Reader<ToExecutor> = either(
  record({ type: literal('configure') }, {}),
  record({ type: literal('hook'), event: hookEvent }, {}),
  record({ type: literal('command'), job, rule, command: packetText({ max: MAX_TEXT_LENGTH }), facts }, {}),
  record({ type: literal('cycle'), job, rule, facts: cycleFacts }, {}),
  record(
    { type: literal('close now'), order: job, stanzas: list(text({ max: 64 }), { min: 0, max: 2 }) },
    { source: address },
  ),
)

const detail = text({ max: LONGEST_DETAIL })
/** Of a cycle: values make a line of the settings longer. */
const commandLine = text({ max: 2000 })
const report: Reader<EndReport> = record(
  {
    how: either(
      literal('exit'),
      literal('signal'),
      literal('timeout'),
      literal('stopped'),
      literal('not started'),
      literal('refreshed'),
    ),
    took: mapped(integer({ min: 0, max: MAX }), milliseconds),
    output: text({ max: LONGEST_OUTPUT }),
    outputBytes: integer({ min: 0, max: MAX }),
  },
  {
    status: integer({ min: 0, max: 255 }),
    signal: text({ max: 20 }),
    why: detail,
    ran: commandLine,
    close: commandLine,
  },
)
const shown = text({ max: 300 })
const news: Reader<NewsReport> = record(
  {
    what: either(literal('open'), literal('closed'), literal('not closed')),
    key: shown,
    about: record({ stanza: shown, source: shown, open: shown, user: shown }, {}),
  },
  {
    left: mapped(integer({ min: 0, max: MAX }), milliseconds),
    report,
    early: either(literal('yes'), literal('revoked')),
  },
)
const fromExecutor: Reader<FromExecutor> = either(
  record({ type: literal('ready') }, { withoutSudo: literal('yes'), withoutUsers: literal('yes') }),
  record({ type: literal('configured') }, { problem: detail }),
  record({ type: literal('failed'), detail }, {}),
  record({ type: literal('idle') }, {}),
  record({ type: literal('cycle'), news }, {}),
  record({ type: literal('hook'), event: shown, report }, {}),
  record({ type: literal('hooks dropped'), dropped: integer({ min: 0, max: MAX }) }, {}),
  record({ type: literal('webhook'), counts: senderCounts }, {}),
  record(
    { type: literal('closed now'), order: job, counts: record({ good: count, failed: count, unfinished: count }, {}) },
    {},
  ),
  record({ type: literal('ended'), job, report }, {}),
)

type ProtocolFailure = Failure<'COMMANDS_UNAVAILABLE'>

/** Never throws. */
export function parseToExecutor(value: unknown): Result<ToExecutor, ProtocolFailure> {
  const read = toExecutor(value)
  return read === undefined ? refuse('COMMANDS_UNAVAILABLE', 'the warden sent an invalid message') : ok(read)
}

/** Never throws. */
export function parseFromExecutor(value: unknown): Result<FromExecutor, ProtocolFailure> {
  const read = fromExecutor(value)
  return read === undefined ? refuse('COMMANDS_UNAVAILABLE', 'the executor sent an invalid message') : ok(read)
}
