/**
 * The files that tell the real names of obfuscated files and folders: a line `REAL OBFUSCATED` for each, as gpgdir
 * 1.9.6 writes them. Pure.
 */
import { isObfuscated, isPlainName } from './names.ts'

/** Real name → obfuscated name, in one folder. */
export type NameMap = ReadonlyMap<string, string>

const OBFUSCATED_FOLDER = /^gpgdir_d\d+$/

export function isObfuscatedFolder(name: string): boolean {
  return OBFUSCATED_FOLDER.test(name)
}

/**
 * @param kind what the map is for. Lines of another form are left out: a map is text that others may have written, and
 * its names become names of files.
 */
export function parseNameMap(text: string, kind: 'files' | 'folders'): NameMap {
  const isRight = kind === 'files' ? isObfuscated : isObfuscatedFolder
  const map = new Map<string, string>()
  for (const line of text.split('\n')) {
    const space = line.lastIndexOf(' ')
    const [real, obfuscated] = [line.slice(0, space), line.slice(space + 1)]
    if (space > 0 && isPlainName(real) && isRight(obfuscated)) map.set(real, obfuscated)
  }
  return map
}

export function formatNameMap(map: NameMap): string {
  return [...map].map(([real, obfuscated]) => `${real} ${obfuscated}\n`).join('')
}

/** Whether a line of the map can hold it. */
export function canBeMapped(name: string): boolean {
  return isPlainName(name) && !name.includes('\n')
}

/**
 * Gives each name without one an obfuscated name: the lowest number that is free.
 * @param taken names that are in the folder.
 */
export function extendNameMap(
  map: NameMap,
  names: Iterable<string>,
  kind: 'files' | 'folders',
  taken: ReadonlySet<string>,
): NameMap {
  const all = new Map(map)
  const used = new Set([...map.values(), ...taken])
  // Of several that a map gives one name, the first one has it.
  const owners = new Map([...map].reverse().map(([real, obfuscated]) => [obfuscated, real]))
  let number = 1
  for (const name of names) {
    const earlier = all.get(name)
    if (earlier !== undefined && (!owners.has(earlier) || owners.get(earlier) === name)) continue
    const called = (): string => (kind === 'files' ? `gpgdir_${number}.gpg` : `gpgdir_d${number}`)
    while (used.has(called())) number++
    all.set(name, called())
    used.add(called())
  }
  return all
}
