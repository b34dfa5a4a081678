/** Reads the whole audit log, and says where its chain is broken. Changes nothing. */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { ok, type Result, refuse } from '../result.ts'
import { errorCode, fileReason } from '../system/errno.ts'
import { judgeServerFile } from '../system/server-file.ts'
import { systemPath } from '../system/system-path.ts'
import { type AuditFailure, readHead } from './append.ts'
import { type AuditEntry, type AuditHead, hashOf, type LineHash, NO_LINE, parseEntry } from './entry.ts'

/** Something that no honest writer leaves. */
export interface AuditFinding {
  readonly file: string
  /** From 1. Absent: of the file as a whole. */
  readonly line?: number
  readonly what: string
}

export interface AuditReport {
  /** How many lines were read. */
  readonly lines: number
  /** The number of the first line. Above 1: older files are not there any more. */
  readonly first?: number
  readonly last?: AuditHead
  /** Empty: the chain holds. */
  readonly findings: readonly AuditFinding[]
}

interface Segment {
  readonly file: string
  readonly text: string
}

/**
 * @param log path of the current file. Older ones lie beside it.
 * @param expected a line that the reader noted elsewhere: it must be there, with this hash.
 * @returns AUDIT_FAILED if a file cannot be read.
 */
export function verifyAudit(log: string, expected?: AuditHead): Result<AuditReport, AuditFailure> {
  const segments = readSegments(log)
  if (!segments.ok) return segments
  const head = readHead(log)
  if (!head.ok) return head
  const chain = new Chain()
  for (const segment of segments.value) chain.read(segment)
  return ok(chain.report(log, head.value, expected))
}

/** All entries that can be read, oldest first. */
export function readAudit(log: string): Result<readonly AuditEntry[], AuditFailure> {
  const segments = readSegments(log)
  if (!segments.ok) return segments
  return ok(segments.value.flatMap(({ text }) => linesOf(text).flatMap((line) => parseEntry(line) ?? [])))
}

class Chain {
  readonly #findings: AuditFinding[] = []
  readonly #hashes = new Map<number, LineHash>()
  #lines = 0
  #first: number | undefined
  #last: AuditHead | undefined

  read({ file, text }: Segment): void {
    const lines = linesOf(text)
    for (const [i, line] of lines.entries()) {
      const at = { file, line: i + 1 }
      this.#lines++
      const entry = parseEntry(line)
      if (entry === undefined) {
        this.#findings.push({ ...at, what: 'it is no line of the audit log' })
        continue
      }
      this.#judge(entry, at)
      this.#last = { seq: entry.seq, hash: hashOf(line) }
      this.#first ??= entry.seq
      this.#hashes.set(entry.seq, this.#last.hash)
    }
    if (text !== '' && !text.endsWith('\n'))
      this.#findings.push({ file, line: lines.length + 1, what: 'it is incomplete: a crash, or somebody, cut it' })
  }

  #judge({ seq, prev }: AuditEntry, at: { readonly file: string; readonly line: number }): void {
    const before = this.#last
    if (before === undefined) {
      if (seq === 1 && prev !== NO_LINE) this.#findings.push({ ...at, what: 'it names a line before the first' })
      return
    }
    if (seq > before.seq + 1)
      this.#findings.push({ ...at, what: `lines are missing before it: ${before.seq + 1} to ${seq - 1}` })
    else if (seq <= before.seq) this.#findings.push({ ...at, what: `it has number ${seq}, after number ${before.seq}` })
    else if (prev !== before.hash)
      this.#findings.push({ ...at, what: `the line before it, number ${before.seq}, was changed` })
  }

  report(log: string, head: AuditHead | undefined, expected: AuditHead | undefined): AuditReport {
    const findings = [...this.#findings]
    const last = this.#last
    const file = log
    if (head === undefined) {
      if (last !== undefined) findings.push({ file, what: `${log}.head is missing or damaged` })
    } else if (last === undefined || last.seq < head.seq)
      findings.push({ file, what: `the end is missing: ${head.seq} lines were written, ${last?.seq ?? 0} are here` })
    else if (this.#hashes.get(head.seq) !== head.hash)
      findings.push({ file, what: `line number ${head.seq} was changed: ${log}.head has another hash of it` })
    else if (last.seq > head.seq + 1)
      findings.push({ file, what: `lines were added after number ${head.seq}, which was the last one written` })
    if (expected !== undefined) {
      const found = this.#hashes.get(expected.seq)
      if (found !== expected.hash)
        findings.push({
          file,
          what: `line number ${expected.seq} ${found === undefined ? 'is not here' : 'has another hash than expected'}`,
        })
    }
    return {
      lines: this.#lines,
      ...(this.#first !== undefined && { first: this.#first }),
      ...(last !== undefined && { last }),
      findings,
    }
  }
}

/** In their order. The last one may be missing: it was moved away just now. */
function readSegments(log: string): Result<readonly Segment[], AuditFailure> {
  const folder = dirname(resolve(log))
  const lead = `${basename(log)}.`
  try {
    const older = readdirSync(systemPath(folder))
      .filter((name) => name.startsWith(lead) && /^[1-9][0-9]{0,14}$/.test(name.slice(lead.length)))
      .sort((one, other) => Number(one.slice(lead.length)) - Number(other.slice(lead.length)))
      .map((name) => join(folder, name))
    const segments: Segment[] = []
    for (const file of [...older, log]) {
      const exposed = judgeServerFile(file)
      if (exposed !== undefined) return refuse('AUDIT_FAILED', exposed.detail)
      const text = textOf(file)
      if (text !== undefined) segments.push({ file, text })
    }
    return ok(segments)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return ok([])
    return refuse('AUDIT_FAILED', `${log}: ${fileReason(error)}`)
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(systemPath(file), 'utf8')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Whole lines. */
function linesOf(text: string): readonly string[] {
  return text.split('\n').slice(0, -1)
}
