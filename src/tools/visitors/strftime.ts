/**
 * Times as the `%{…}t` of Apache writes them: a format of strftime(3). Of such a time the reports need the day.
 */
import { dayOf, MONTHS } from './visit.ts'

/** A time that is read where it is. */
export interface WrittenTime {
  /** Sticky: where it ends is what it matches, for it may hold blanks. */
  readonly pattern: RegExp
  /** @returns `2006-12-31`; undefined for a day that does not exist. */
  readonly day: (match: RegExpExecArray) => string | undefined
}

const NAMES = [...MONTHS.keys()].join('|')
const FULL_NAMES = 'January|February|March|April|May|June|July|August|September|October|November|December'
/** What a conversion writes, in the C locale. */
const CONVERSIONS: Readonly<Record<string, string>> = {
  Y: '(?<year>\\d{4})',
  y: '(?<short>\\d{2})',
  m: '(?<month>\\d{2})',
  b: `(?<name>${NAMES})`,
  h: `(?<name>${NAMES})`,
  B: `(?<name>${FULL_NAMES})`,
  d: '(?<day>\\d{2})',
  e: '(?<day>[ \\d]\\d)',
  s: '(?<seconds>\\d{9,10})',
  H: '\\d{2}',
  I: '\\d{2}',
  k: '[ \\d]\\d',
  l: '[ \\d]\\d',
  M: '\\d{2}',
  S: '\\d{2}',
  j: '\\d{3}',
  a: '[A-Z][a-z]{2}',
  A: '[A-Z][a-z]+',
  p: '[AP]M',
  z: '[+-]\\d{4}',
  Z: '[A-Za-z0-9+-]+',
  n: '\\n',
  t: '\\t',
  '%': '%',
}
const SHORT_FOR: Readonly<Record<string, string>> = {
  F: '%Y-%m-%d',
  D: '%m/%d/%y',
  T: '%H:%M:%S',
  R: '%H:%M',
  c: '%a %b %e %H:%M:%S %Y',
}

/** @returns undefined if the format names no day, or has a conversion that is not known. */
export function writtenTime(format: string): WrittenTime | undefined {
  const whole = format.replace(/%[EO]?([FDTRc])/g, (_, letter: string) => SHORT_FOR[letter] ?? '')
  const seen = new Set<string>()
  let isKnown = true
  const source = whole.replace(/%[EO]?(.)|[^%]+/gs, (text, letter?: string) => {
    if (letter === undefined) return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
    const conversion = CONVERSIONS[letter]
    isKnown &&= conversion !== undefined
    // The same again: a name of a group may be there once.
    const [, name = ''] = /^\(\?<(\w+)>/.exec(conversion ?? '') ?? []
    const isAgain = name !== '' && seen.has(name)
    seen.add(name)
    return isAgain ? (conversion ?? '').replace(/^\(\?<\w+>/, '(?:') : (conversion ?? '')
  })
  const has = (...names: readonly string[]): boolean => names.some((name) => seen.has(name))
  const namesADay = has('seconds') || (has('year', 'short') && has('month', 'name') && has('day'))
  if (!isKnown || !namesADay) return undefined
  return { pattern: new RegExp(source, 'y'), day: ({ groups = {} }) => dayOfGroups(groups) }
}

function dayOfGroups(groups: Readonly<Record<string, string | undefined>>): string | undefined {
  const { seconds, year, short = '', month, name = '', day = '' } = groups
  if (seconds !== undefined) return dayOf(seconds)
  // POSIX: 69 to 99 are of the last century.
  const fullYear = year ?? `${Number(short) >= 69 ? '19' : '20'}${short}`
  return dayOf(`${fullYear}-${month ?? MONTHS.get(name.slice(0, 3))}-${day.replace(' ', '0')}`)
}
