/** Access logs for tests of visitors: written fast, however many lines they have. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'

export interface LineParts {
  readonly address?: string
  /** `2006-05-17`. */
  readonly day?: string
  readonly path?: string
  readonly status?: number
  readonly agent?: string
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** One line of the form combined, with its end. */
export function combinedLine(parts: LineParts = {}): string {
  const { address = '192.0.2.1', day = '2006-05-17', path = '/', status = 200, agent = 'Mozilla/5.0' } = parts
  const [year, month, date] = day.split('-')
  const time = `${date}/${MONTHS[Number(month) - 1]}/${year}:12:00:00 +0000`
  return `${address} - - [${time}] "GET ${path} HTTP/1.0" ${status} 1 "-" "${agent}"\n`
}

/** The same line many times, compressed: gzip allows several members in one file (RFC 1952 § 2.2). */
export function compressedTimes(line: string, times: number): Buffer {
  const block = 5_000
  const whole = gzipSync(line.repeat(block), { level: 1 })
  const rest = gzipSync(line.repeat(times % block), { level: 1 })
  return Buffer.concat([...Array.from({ length: Math.floor(times / block) }, () => whole), rest])
}

/** A folder that vanishes after the test. @returns its path, and what writes files into it. */
export function logFolder(t: Pick<TestContext, 'after'>): {
  readonly path: string
  write(name: string, content: string | Uint8Array): string
} {
  const path = mkdtempSync(join(tmpdir(), 'visitors-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return {
    path,
    write(name, content) {
      const file = join(path, name)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, content)
      return file
    },
  }
}
