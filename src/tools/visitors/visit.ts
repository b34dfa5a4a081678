/**
 * One line of an access log, as the reports need it. Its texts have one character for each byte, as the log is read
 * (`byte-text.ts`): agents and paths need not be UTF-8.
 */

export interface Visit {
  /** As the log has it: an address, or a name where the server looks names up. */
  readonly address: string
  /** The day in the time zone of the log: `2006-12-31`. */
  readonly day: string
  /** The request target, as sent: path and query. Empty if nothing was sent. A request that is not HTTP: all of it. */
  readonly target: string
  readonly agent: string
  /** HTTP status; 0 if the log does not say. */
  readonly status: number
}

/** The number of each month, by its name in logs. */
export const MONTHS: ReadonlyMap<string, string> = new Map(
  ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'].map((name, i) => [
    name,
    String(i + 1).padStart(2, '0'),
  ]),
)
const APACHE_TIME = /^(0[1-9]|[12]\d|3[01])\/([A-Z][a-z]{2})\/(\d{4})[: ]/
const ISO_TIME = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?:[T ]|$)/
/** Seconds since 1970, or 3 or 6 digits more: milliseconds, microseconds. */
const UNIX_TIME = /^(\d{9,10})(?:\d{3}|\d{6})?(?:\.\d+)?$/

/**
 * @param text `10/Oct/2000:13:55:36 -0700`, as %t of Apache and $time_local of nginx; `2000-10-10T13:55:36-07:00`; or a
 * Unix time, whose day is that of UTC.
 * @returns `2000-10-10`; undefined if it is none of them.
 */
export function dayOf(text: string): string | undefined {
  const [, day, name = '', year] = APACHE_TIME.exec(text) ?? []
  if (day !== undefined) {
    const month = MONTHS.get(name)
    return month === undefined ? undefined : existing(`${year}-${month}-${day}`)
  }
  if (ISO_TIME.test(text)) return existing(text.slice(0, 10))
  const [, seconds] = UNIX_TIME.exec(text) ?? []
  return seconds === undefined ? undefined : new Date(Number(seconds) * 1000).toISOString().slice(0, 10)
}

/** @returns undefined for the 30th of February and its like. */
function existing(day: string): string | undefined {
  return new Date(day).toISOString().startsWith(day) ? day : undefined
}

/** Parses times that are mostly of the same day as the one before. */
export function rememberingDayOf(): (text: string) => string | undefined {
  let [known, day]: [string, string | undefined] = ['', undefined]
  return (text) => {
    // `10/Oct/2000` or `2000-10-10T`: all of the day.
    const head = text.slice(0, 11)
    if (head === known && day !== undefined) return day
    day = dayOf(text)
    // A Unix time has its day in all of its digits.
    known = text.charCodeAt(2) === SLASH || text.charCodeAt(4) === DASH ? head : ''
    return day
  }
}

const SLASH = 0x2f
const DASH = 0x2d

/** @param request `GET /path HTTP/1.1`. @returns the target; all of a request that is not HTTP; empty for none. */
export function targetOf(request: string): string {
  if (request === '-') return ''
  const start = request.indexOf(' ')
  if (start < 1 || !isMethod(request, start)) return request
  const end = request.lastIndexOf(' ')
  return end > start && request.startsWith('HTTP/', end + 1) ? request.slice(start + 1, end) : request.slice(start + 1)
}

/** Capitals, as all methods that are in use (RFC 9110 § 9). */
function isMethod(request: string, end: number): boolean {
  for (let i = 0; i < end; i++) {
    const code = request.charCodeAt(i)
    if ((code < 0x41 || code > 0x5a) && code !== DASH) return false
  }
  return true
}
