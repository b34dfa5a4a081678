/**
 * What `ghostport init` has to remember while its changes wait for a confirmation, also in another process of it, and
 * after it was killed. A file beside the undo journal.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { jsonLine } from '../../bytes/text.ts'
import { integer, list, literal, parsed, type Reader, record, text } from '../../json-reader.ts'
import { parseAddress } from '../../packet/address.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { fileReason } from '../../system/errno.ts'
import { readServerFile, replaceServerFile } from '../../system/server-file.ts'
import type { Port, Seconds, UnixSeconds } from '../../units.ts'
import type { Connection } from '../facts/connection-mark.ts'
import type { Step } from './steps.ts'

export interface Pending {
  /** When the dead-man switch was set, and for how long. */
  readonly armedAt: UnixSeconds
  readonly time: Seconds
  /** Local ports of TCP connections that may confirm. */
  readonly ports: readonly Port[]
  /** Whether such a connection must carry a login by ssh. */
  readonly byLogin: boolean
  /** CONNTRACK_MARK. */
  readonly mark: number
  /** The connections to these ports that were there before. */
  readonly before: readonly Connection[]
  /** What is done once it is confirmed. */
  readonly steps: readonly ConfirmedStep[]
  /** All changes were made, and the administrator was told what to do. Else a run was killed before. */
  readonly complete: boolean
}

export type ConfirmedStep = Extract<Step, { readonly kind: 'run' }>

const LONGEST = 4 << 20
const MOST_CONNECTIONS = 65_535

function fileIn(folder: string): string {
  return join(folder, 'init.json')
}

/** @throws the file system's errors. */
export function writePending(folder: string, pending: Pending): void {
  replaceServerFile(fileIn(folder), jsonLine({ version: 1, ...pending }), 0o600)
}

export function removePending(folder: string): void {
  rmSync(fileIn(folder), { force: true })
}

/** @returns undefined if nothing waits. CONFIG_UNREADABLE for a damaged file. */
export function readPending(folder: string): Result<Pending | undefined> {
  try {
    const read = readServerFile(fileIn(folder), LONGEST)
    if (!read.ok) return read
    if (read.value === undefined) return ok(undefined)
    const pending = parsePending(read.value)
    return pending === undefined ? refuse('CONFIG_UNREADABLE', `${fileIn(folder)} is damaged`) : ok(pending)
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
const file = record(
  {
    version,
    armedAt: time as Reader<UnixSeconds>,
    time: time as Reader<Seconds>,
    ports: list(port, { min: 1, max: 1000 }),
    byLogin: yesNo,
    mark: integer({ min: 1, max: 0xffff_ffff }),
    before: list(connection, { min: 0, max: MOST_CONNECTIONS }),
    steps: list(step, { min: 0, max: 100 }),
    complete: yesNo,
  },
  {},
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
