/** Reads a file of settings by a table of readers: each name once, or several times where its values add up. */
import { ok, type Result, refuse, type SourceLocation } from '../../result.ts'
import { nearest } from './nearest.ts'
import type { ConfigFailure } from './notice.ts'
import { readSettingLines } from './setting-lines.ts'
import type { ValueFailure, ValueReader } from './setting-values.ts'

export type SettingReaders = Readonly<Record<string, ValueReader<unknown>>>

/** What a file sets: name → its values, in the order of the lines. */
export type GivenSettings<Readers extends SettingReaders> = {
  readonly [Name in keyof Readers]?: readonly GivenValue<Readers[Name]>[]
}

export interface GivenValue<Reader> {
  readonly value: Reader extends ValueReader<infer T> ? T : never
  readonly at: SourceLocation
}

/**
 * @param what the usual name of such a file.
 * @param repeatable names whose values add up; all others are set at most once.
 * @returns what is set; or the first thing that is wrong, with its line.
 */
export function readGiven<const Readers extends SettingReaders>(
  file: string,
  text: string,
  readers: Readers,
  { what, repeatable }: { readonly what: string; readonly repeatable: readonly (keyof Readers & string)[] },
): Result<GivenSettings<Readers>, ConfigFailure> {
  const names = Object.keys(readers)
  const lines = readSettingLines(file, text, names)
  if (!lines.ok) return lines
  const given = new Map<string, { value: unknown; at: SourceLocation }[]>()
  for (const { name, value, at } of lines.value) {
    const reader = Object.hasOwn(readers, name) ? readers[name] : undefined
    if (reader === undefined) {
      const meant = nearest(name, names)
      return refuse('CONFIG_UNKNOWN_KEY', `${what} has no setting “${name}”`, {
        at,
        ...(meant === undefined ? {} : { suggestion: meant }),
      })
    }
    const before = given.get(name) ?? []
    if (before[0] !== undefined && !repeatable.includes(name))
      return refuse('CONFIG_CONFLICT', `${name} is already set in line ${before[0].at.line}`, { at })
    const read: Result<unknown, ValueFailure> = reader(value)
    if (!read.ok) return { ok: false, failure: { ...read.failure, detail: `${name}: ${read.failure.detail}`, at } }
    given.set(name, [...before, { value: read.value, at }])
  }
  return ok(Object.fromEntries(given) as unknown as GivenSettings<Readers>)
}
