/**
 * Reads the receiver's standard error. An honest receiver writes there only Node's own messages (a defect, a crash). An
 * attacker may control it. So the text is made printable and cut, and only some lines per second are logged.
 */

import type { Readable } from 'node:stream'
import { printable } from '../../../bytes/text.ts'
import { monotonic } from '../../../clock.ts'
import type { Log } from '../../../log.ts'
import type { Failure } from '../../../result.ts'
import { TokenBucket } from '../../../token-bucket.ts'
import { milliseconds } from '../../../units.ts'

/** Characters of a line that are logged. */
const LONGEST_LINE = 400
/** Lines in each interval that are logged; the others are counted. */
const MOST_LINES = 10
const LINES_INTERVAL = milliseconds(1000)
/** Characters to read. A full crash report of Node has some thousands. */
const MOST_TEXT = { perSecond: 64 * 1024, burst: 1024 * 1024 }

/**
 * Logs the lines of `errors` until it ends.
 * @param event the name of the lines.
 * @param onFlood called if it writes more than any honest receiver; then nothing more is read.
 */
export function logReceiverErrors(
  errors: Readable,
  log: Log,
  onFlood: (failure: Failure) => void,
  event: 'receiver says' | 'cluster says' | 'executor says' | 'gnupg says' = 'receiver says',
): void {
  const characters = new TokenBucket(MOST_TEXT, monotonic())
  let line = ''
  let logged = 0
  let leftOut = 0
  let interval: NodeJS.Timeout | undefined

  const nextInterval = (): void => {
    interval = undefined
    logged = 0
    if (leftOut === 0) return
    log.write('warning', event, { leftOut })
    leftOut = 0
  }
  const tell = (): void => {
    const text = printable(line.trimEnd())
    line = ''
    if (text === '') return
    interval ??= setTimeout(nextInterval, LINES_INTERVAL).unref()
    if (logged < MOST_LINES) log.write('warning', event, { text })
    else leftOut++
    logged++
  }

  const end = (): void => {
    tell()
    clearTimeout(interval)
    nextInterval()
  }

  errors.setEncoding('utf8')
  errors.on('data', (chunk: string) => {
    if (errors.destroyed) return
    if (!characters.take(chunk.length, monotonic())) {
      end()
      errors.destroy()
      onFlood({ code: 'WARDEN_PROTOCOL', detail: 'it writes more to its standard error than an honest receiver can' })
      return
    }
    const [rest = '', ...more] = chunk.split('\n')
    const append = (text: string): void => {
      line += text.slice(0, LONGEST_LINE - line.length)
    }
    append(rest)
    for (const text of more) {
      tell()
      append(text)
    }
  })
  errors.on('error', () => {})
  errors.on('end', end)
}
