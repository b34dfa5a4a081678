/** What a user of etcd may do, compared with what a node of one cluster needs. Pure. */
import { textFromBytes } from '../bytes/text.ts'
import { decodeBase64Padded } from '../system/base64.ts'
import { picked } from './picked.ts'
import { prefixRange } from './prefix.ts'

/**
 * A range of keys, in the order of their bytes: `[from, to)`. An empty `to`: this key alone. A `to` of one zero byte:
 * all from `from` on.
 */
export interface KeyRange {
  readonly mayRead: boolean
  readonly mayWrite: boolean
  readonly from: Buffer
  readonly to: Buffer
}

/** `perm` of etcd’s answer about a role. @returns undefined for what has no sense. */
export function parseRanges(value: unknown): readonly KeyRange[] | undefined {
  const { perm = [] } = picked(value, ['perm'])
  if (!Array.isArray(perm) || perm.length > 1000) return undefined
  const ranges = perm.map((one: unknown): KeyRange | undefined => {
    // etcd leaves out what is its default: READ, and empty keys.
    const { permType = 'READ', key = '', range_end: end = '' } = picked(one, ['permType', 'key', 'range_end'])
    const from = typeof key === 'string' ? decodeBase64Padded(key) : undefined
    const to = typeof end === 'string' ? decodeBase64Padded(end) : undefined
    if (from === undefined || to === undefined) return undefined
    const [mayRead, mayWrite] = [permType !== 'WRITE', permType === 'WRITE' || permType === 'READWRITE']
    return { mayRead, mayWrite, from: Buffer.from(from), to: Buffer.from(to) }
  })
  return ranges.every((range) => range !== undefined) ? ranges : undefined
}

export interface JudgedRanges {
  /** One of them covers the prefix, for reading and writing. */
  readonly covers: boolean
  /** Those that touch keys outside of the prefix. */
  readonly beyond: readonly string[]
}

export function judgeRanges(ranges: readonly KeyRange[], prefix: string): JudgedRanges {
  const needed = prefixRange(prefix)
  const covers = ranges.some(
    ({ mayRead, mayWrite, from, to }) =>
      mayRead && mayWrite && from.compare(needed.from) <= 0 && (isEndless(to) || to.compare(needed.to) >= 0),
  )
  const beyond = ranges
    .filter(({ from, to }) => {
      if (from.compare(needed.from) < 0) return true
      if (to.length === 0) return from.compare(needed.to) >= 0
      return isEndless(to) || to.compare(needed.to) > 0
    })
    .map(describeRange)
  return { covers, beyond }
}

function isEndless(to: Buffer): boolean {
  return to.length === 1 && to[0] === 0
}

/** `readwrite ghostport/*`. */
function describeRange({ mayRead, mayWrite, from, to }: KeyRange): string {
  const how = `${mayRead ? 'read' : ''}${mayWrite ? 'write' : ''}`
  const name = textFromBytes(from)
  if (to.length === 0) return `${how} ${name}`
  if (isEndless(to)) return `${how} all keys${name === '' || name === '\0' ? '' : ` from ${name} on`}`
  const isPrefix = prefixRange(name).to.equals(to)
  return isPrefix ? `${how} ${name}*` : `${how} ${name} … ${textFromBytes(to)}`
}
