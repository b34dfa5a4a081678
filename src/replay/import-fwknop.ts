/**
 * fwknopd's memory of used packets, `digest.cache` (docs/WIRE.md § 10): after a header line that starts with `#`, one
 * packet a line, `DIGEST PROTOCOL SOURCE PORT DESTINATION PORT TIME`, where TIME is when fwknopd saw it. fwknopd never
 * drops a line, so that the file of an old server may be large: it is read in pieces.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { resolve } from 'node:path'
import { decodeBase64Padded, encodeBase64 } from '../bytes/base64.ts'
import type { FwknopDigest } from '../packet/replay-digest.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { systemReason } from '../system/errno.ts'
import { TO_READ } from '../system/server-file.ts'
import type { UnixSeconds } from '../units.ts'
import { unixSeconds } from '../units.ts'
import type { ReplayFailure } from './replay-store.ts'
import type { ImportCount, ImportedSighting, SqliteReplayStore } from './sqlite.ts'

export interface DigestCacheImport extends ImportCount {
  /** The file was imported before and has not changed since: nothing was done. */
  readonly unchanged: boolean
  /** Lines that nothing could be made of. */
  readonly malformed: number
  /** The first few of them, with their places. */
  readonly problems: readonly Failure<'CONFIG_SYNTAX'>[]
}

const FIELDS = 7
const DIGEST_BYTES = 32
const PIECE = 1 << 16
const LONGEST_LINE = 4096
const PROBLEMS_TOLD = 20

/**
 * @param line without its line feed.
 * @returns nothing for a comment or an empty line. CONFIG_SYNTAX where the line is neither that nor an entry; among
 *   these are the entries of 1.9.12 and older, whose digests cover something else and could never match.
 */
export function parseDigestCacheLine(line: string): Result<ImportedSighting | undefined, Failure<'CONFIG_SYNTAX'>> {
  if (line.startsWith('#') || line.trim() === '') return ok(undefined)
  const fields = line.trim().split(/[ \t]+/)
  const [digest = '', , , , , , time = ''] = fields
  if (fields.length !== FIELDS) return refuse('CONFIG_SYNTAX', `${fields.length} fields instead of ${FIELDS}`)
  const bytes = decodeBase64Padded(digest)
  if (bytes?.length !== DIGEST_BYTES) return refuse('CONFIG_SYNTAX', 'the first field is not a SHA-256 in base64')
  if (!/^[0-9]{1,15}$/.test(time)) return refuse('CONFIG_SYNTAX', 'the last field is not a time in Unix seconds')
  return ok({ digest: encodeBase64(bytes) as FwknopDigest, seen: unixSeconds(Number(time)) })
}

/**
 * Takes a `digest.cache` over into `store`. Malformed lines are left out and told; they do not stop the others. A file
 * that was taken over before is only read again once it has changed.
 * @returns CONFIG_UNREADABLE: the file cannot be read, or is none. A failure of the store: nothing was taken over.
 */
export function importDigestCache(
  store: SqliteReplayStore,
  path: string,
  now: UnixSeconds,
): Result<DigestCacheImport, ReplayFailure | Failure<'CONFIG_UNREADABLE'>> {
  let descriptor: number
  try {
    descriptor = openSync(path, TO_READ)
  } catch (error) {
    return refuse('CONFIG_UNREADABLE', `${path}: ${systemReason(error)}`)
  }
  try {
    const file = fstatSync(descriptor, { bigint: true })
    if (!file.isFile()) return refuse('CONFIG_UNREADABLE', `${path} is not a regular file`)
    const identity = `${resolve(path)} ${file.dev}:${file.ino} ${file.size} ${file.mtimeNs}`
    if (store.hasImported(identity)) {
      return ok({ imported: 0, outdated: 0, known: 0, malformed: 0, problems: [], unchanged: true })
    }
    const problems: Failure<'CONFIG_SYNTAX'>[] = []
    let malformed = 0
    const sightings = function* (): Generator<ImportedSighting> {
      let number = 0
      for (const line of linesOf(descriptor)) {
        number++
        const sighting = parseDigestCacheLine(line)
        if (!sighting.ok) {
          malformed++
          if (problems.length < PROBLEMS_TOLD) problems.push({ ...sighting.failure, at: { file: path, line: number } })
        } else if (sighting.value !== undefined) yield sighting.value
      }
    }
    const count = store.importSightings(sightings(), identity, now)
    return count.ok ? ok({ ...count.value, malformed, problems, unchanged: false }) : count
  } catch (error) {
    return refuse('CONFIG_UNREADABLE', `${path}: ${systemReason(error)}`)
  } finally {
    closeSync(descriptor)
  }
}

/** What a `digest.cache` holds, without taking it over. */
export interface DigestCacheContent {
  readonly entries: number
  /** Lines that nothing could be made of. */
  readonly malformed: number
  /** The first few of them, with their places. */
  readonly problems: readonly Failure<'CONFIG_SYNTAX'>[]
}

/** Reads a `digest.cache`, and changes nothing. @returns CONFIG_UNREADABLE: the file cannot be read, or is none. */
export function readDigestCache(path: string): Result<DigestCacheContent, Failure<'CONFIG_UNREADABLE'>> {
  let descriptor: number | undefined
  try {
    descriptor = openSync(path, TO_READ)
    if (!fstatSync(descriptor).isFile()) return refuse('CONFIG_UNREADABLE', `${path} is not a regular file`)
    const problems: Failure<'CONFIG_SYNTAX'>[] = []
    let [number, entries, malformed] = [0, 0, 0]
    for (const line of linesOf(descriptor)) {
      number++
      const sighting = parseDigestCacheLine(line)
      if (sighting.ok) entries += sighting.value === undefined ? 0 : 1
      else if (malformed++ < PROBLEMS_TOLD) problems.push({ ...sighting.failure, at: { file: path, line: number } })
    }
    return ok({ entries, malformed, problems })
  } catch (error) {
    return refuse('CONFIG_UNREADABLE', `${path}: ${systemReason(error)}`)
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

/** A line longer than any real one is cut, and so does not parse. */
function* linesOf(descriptor: number): Generator<string> {
  const piece = Buffer.alloc(PIECE)
  let held = ''
  for (let length = readSync(descriptor, piece); length > 0; length = readSync(descriptor, piece)) {
    const lines = (held + piece.toString('latin1', 0, length)).split('\n')
    held = (lines.pop() ?? '').slice(0, LONGEST_LINE)
    yield* lines
  }
  if (held !== '') yield held
}
