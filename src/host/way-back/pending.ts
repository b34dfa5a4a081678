/**
 * What is remembered while changes wait for a confirmation, also in another process, and after the one that made them
 * was killed. A file beside the undo journal. It says nothing by itself: changes wait as long as the journal’s
 * `pending` is there, and the script that takes them back leaves this file alone.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { jsonLine } from '../../bytes/text.ts'
import { either, integer, list, literal, parsed, type Reader, record, text } from '../../json-reader.ts'
import { parseAddress } from '../../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { fileReason } from '../../system/errno.ts'
import { readServerFile, replaceServerFile } from '../../system/server-file.ts'
import type { Port, Seconds, UnixSeconds } from '../../units.ts'
import type { Connection } from '../facts/connection-mark.ts'

interface Waiting {
  /** When the dead-man switch was set, and for how long. */
  readonly armedAt: UnixSeconds
  readonly time: Seconds
  /** TCP connections from before the changes: they prove nothing, since they live on in any case. */
  readonly before: readonly Connection[]
}

/** Changes of `ghostport policy`. */
export interface PendingPolicy extends Waiting {
  readonly by: 'policy'
}

/** Changes of `ghostport init`. */
export interface PendingSetUp extends Waiting {
  readonly by: 'init'
  /** Local ports of TCP connections that may confirm. */
  readonly ports: readonly Port[]
  /** Whether such a connection must carry a login by ssh. */
  readonly byLogin: boolean
  /** CONNTRACK_MARK. */
  readonly mark: number
  /** What is done once it is confirmed. */
  readonly steps: readonly ConfirmedStep[]
  /** All changes were made, and the administrator was told what to do. Else a run was killed before. */
  readonly complete: boolean
}

export type Pending = PendingPolicy | PendingSetUp

export interface ConfirmedStep {
  readonly kind: 'run'
  readonly argv: readonly [string, ...string[]]
  readonly inverse?: readonly [string, ...string[]]
  readonly mayFail?: true
  readonly about: string
}

/** A long list of connections. */
const LONGEST = 64 << 20
const MOST_CONNECTIONS = 1_000_000

function fileIn(folder: string): string {
  return join(folder, 'waiting.json')
}

/** @throws the file system's errors. */
export function writePending(folder: string, pending: Pending): void {
  replaceServerFile(fileIn(folder), jsonLine({ version: 1, ...pending }), 0o600)
}

export function removePending(folder: string): void {
  rmSync(fileIn(folder), { force: true })
}

/** @returns undefined if there is no such file. CONFIG_UNREADABLE for a damaged one. */
export function readPending(
  folder: string,
): Result<Pending | undefined, Failure<'CONFIG_EXPOSED' | 'CONFIG_UNREADABLE'>> {
  try {
    const read = readServerFile(fileIn(folder), LONGEST)
    if (!read.ok) return read
    if (read.value === undefined) return ok(undefined)
    const pending = parsePending(read.value)
    return pending === undefined
      ? refuse('CONFIG_UNREADABLE', `${fileIn(folder)} is damaged`, { suggestion: 'ghostport init --revert' })
      : ok(pending)
  } catch (error) {
    return refuse('CONFIG_UNREADABLE', `${fileIn(folder)}: ${fileReason(error)}`)
  }
}

const port = integer({ min: 1, max: 65_535 }) as Reader<Port>
const word = text({ max: 10_000 })
const argv: Reader<readonly [string, ...string[]]> = (value) => {
  const words = list(word, { min: 1, max: 100 })(value)
  return words as readonly [string, ...string[]] | undefined
}
const connection: Reader<Connection> = record(
  { peer: parsed(parseAddress), peerPort: port, local: parsed(parseAddress), localPort: port },
  {},
)
const yesNo: Reader<boolean> = (value) => (typeof value === 'boolean' ? value : undefined)
const yes: Reader<true> = (value) => (value === true ? true : undefined)
const step: Reader<ConfirmedStep> = record({ kind: literal('run'), argv, about: word }, { inverse: argv, mayFail: yes })
const time = integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const version: Reader<1> = (value) => (value === 1 ? 1 : undefined)
const common = {
  version,
  armedAt: time as Reader<UnixSeconds>,
  time: time as Reader<Seconds>,
  before: list(connection, { min: 0, max: MOST_CONNECTIONS }),
}
const file = either(
  record({ ...common, by: literal('policy') }, {}),
  record(
    {
      ...common,
      by: literal('init'),
      ports: list(port, { min: 1, max: 1000 }),
      byLogin: yesNo,
      mark: integer({ min: 1, max: 0xffff_ffff }),
      steps: list(step, { min: 0, max: 100 }),
      complete: yesNo,
    },
    {},
  ),
)

/** @returns undefined if it is not such a text. */
export function parsePending(content: string): Pending | undefined {
  let value: unknown
  try {
    value = JSON.parse(content)
  } catch {
    return undefined
  }
  const read = file(value)
  if (read === undefined) return undefined
  const { version: _, ...pending } = read
  return pending
}
