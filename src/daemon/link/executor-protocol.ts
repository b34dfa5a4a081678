/**
 * The messages between warden and executor. The warden says which rule of the configuration to carry out, with which
 * values. The executor has read the configuration by itself: no message has a program or a user in it, except for what
 * a client may send as a command. Each side reads strictly.
 */
import type { CommandFacts } from '../../access/command.ts'
import type { RuleKey } from '../../access/rule-key.ts'
import { parseStanzaName, type StanzaName } from '../../access/stanza-name.ts'
import { decodeBase64 } from '../../bytes/base64.ts'
import { either, integer, literal, mapped, packetText, parsed, type Reader, record, text } from '../../json-reader.ts'
import { parseAddress } from '../../packet/address.ts'
import { parseUsername } from '../../packet/username.ts'
import { MAX_TEXT_LENGTH } from '../../packet/wire-limits.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { type Milliseconds, milliseconds } from '../../units.ts'

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

export type ToExecutor =
  /** Read the files again: the warden has read them, and found them good. */
  { readonly type: 'configure' } | CommandJob

/** How a program ended, for the log. */
export interface EndReport {
  readonly how: 'exit' | 'signal' | 'timeout' | 'stopped' | 'not started'
  readonly status?: number
  readonly signal?: string
  readonly why?: string
  readonly took: Milliseconds
  /** Not yet printable. */
  readonly output: string
  readonly outputBytes: number
}

export type FromExecutor =
  /** It reads jobs. `withoutSudo`: set-user-id programs do not work. */
  | { readonly type: 'ready'; readonly withoutSudo?: 'yes' }
  /** The files were read. `problem`: why they could not be; the rules of before stay. */
  | { readonly type: 'configured'; readonly problem?: string }
  /** Why it ends. No message follows. */
  | { readonly type: 'failed'; readonly detail: string }
  | { readonly type: 'ended'; readonly job: JobNumber; readonly report: EndReport }

const MAX = Number.MAX_SAFE_INTEGER
/** Of UTF-16 units. */
const LONGEST_DETAIL = 2000
/** The executor keeps 4096 bytes. */
const LONGEST_OUTPUT = 4096

const job = integer({ min: 1, max: MAX })
const address = parsed(parseAddress)
const number = mapped(text({ max: 16 }), (read) => (/^[1-9][0-9]*$/.test(read) ? (read as `${number}`) : undefined))
const stanza: Reader<StanzaName | `${number}`> = either(parsed(parseStanzaName), number)
const rule = mapped(text({ max: 43 }), (key) => (decodeBase64(key)?.length === 32 ? (key as RuleKey) : undefined))
const facts: Reader<CommandFacts> = record(
  { source: address, packetSource: address, username: parsed(parseUsername), stanza },
  { packetDestination: address },
)

const toExecutor: Reader<ToExecutor> = either(
  record({ type: literal('configure') }, {}),
  record({ type: literal('command'), job, rule, command: packetText({ max: MAX_TEXT_LENGTH }), facts }, {}),
)

const detail = text({ max: LONGEST_DETAIL })
const report: Reader<EndReport> = record(
  {
    how: either(literal('exit'), literal('signal'), literal('timeout'), literal('stopped'), literal('not started')),
    took: mapped(integer({ min: 0, max: MAX }), milliseconds),
    output: text({ max: LONGEST_OUTPUT }),
    outputBytes: integer({ min: 0, max: MAX }),
  },
  { status: integer({ min: 0, max: 255 }), signal: text({ max: 20 }), why: detail },
)
const fromExecutor: Reader<FromExecutor> = either(
  record({ type: literal('ready') }, { withoutSudo: literal('yes') }),
  record({ type: literal('configured') }, { problem: detail }),
  record({ type: literal('failed'), detail }, {}),
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
