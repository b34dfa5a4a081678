/** Reads the file of a scan. */
import { readFileSync, statSync } from 'node:fs'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { fileReason } from '../system/errno.ts'
import { systemPath } from '../system/system-path.ts'
import { LONGEST_SCAN, parseScan, type ScanRun } from './nmap-result.ts'

/** @returns CONFIG_UNREADABLE if there is no such file, SCAN_INVALID if it is no whole result. Both name the file. */
export function readScan(file: string): Result<ScanRun, Failure<'CONFIG_UNREADABLE' | 'SCAN_INVALID'>> {
  let text: string
  try {
    const path = systemPath(file)
    const found = statSync(path)
    if (!found.isFile()) return refuse('CONFIG_UNREADABLE', `${file} is not a regular file`)
    if (found.size > LONGEST_SCAN) return refuse('SCAN_INVALID', `${file}: it is longer than 16 MB`)
    text = readFileSync(path, 'utf8')
  } catch (error) {
    return refuse('CONFIG_UNREADABLE', `${file}: ${fileReason(error)}`)
  }
  const parsed = parseScan(text)
  return parsed.ok ? ok(parsed.value) : refuse('SCAN_INVALID', `${file}: ${parsed.failure.detail}`)
}
