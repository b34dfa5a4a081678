/**
 * Copies of ghostport's tables in the files that nftables loads at boot. `nft list ruleset > /etc/nftables.conf` makes
 * them: with the grants of that moment, which then come back at each boot.
 */
import { dirname, isAbsolute, join } from 'node:path'
import { DEFAULT_TABLE } from '../../../config/server/firewall-settings.ts'
import { POLICY_TABLE } from '../../../firewall/host/cures.ts'
import { type Known, known, notKnown } from '../../known.ts'
import type { Looker } from '../../looker.ts'
import type { Subject } from '../subject.ts'
import { lookAtLoaded } from './configuration.ts'

export interface SavedTable {
  readonly file: string
  readonly line: number
  readonly table: string
  /** Exactly as nft lists a table: from the first column to a `}` in the first column. */
  readonly isListing: boolean
}

/** Of Debian, and of RHEL and Fedora. */
const FIRST_FILES = ['/etc/nftables.conf', '/etc/sysconfig/nftables.conf']
const MOST_FILES = 100

export async function lookAtSavedTables(subject: Subject): Promise<Known<readonly SavedTable[]>> {
  if (subject.looker.uid !== 0) return notKnown('only root may read which table is the server’s')
  const loaded = await lookAtLoaded(subject)
  const firewall = loaded.known ? loaded.value.server.firewall : undefined
  const own = firewall?.kind === 'nftables' ? firewall.table : DEFAULT_TABLE
  return findSavedTables(subject.looker, [own, POLICY_TABLE])
}

/** @param tables names of tables of family inet. */
export function findSavedTables(looker: Looker, tables: readonly string[]): Known<readonly SavedTable[]> {
  const found: SavedTable[] = []
  const files = [...FIRST_FILES]
  for (let at = 0; at < files.length && at < MOST_FILES; at++) {
    const file = files[at] ?? ''
    const text = looker.read(file)
    if (!text.known) return text
    if (text.value === undefined) continue
    found.push(...savedIn(file, text.value, tables))
    for (const included of includesIn(text.value, dirname(file), looker))
      if (!files.includes(included)) files.push(included)
  }
  return known(found)
}

function savedIn(file: string, text: string, tables: readonly string[]): readonly SavedTable[] {
  const lines = text.split('\n')
  return lines.flatMap((line, i): readonly SavedTable[] => {
    const [, indent = '', table = ''] = /^(\s*)(?:(?:add|create)\s+)?table\s+inet\s+([\w/\\.-]+)\s*\{?/.exec(line) ?? []
    if (!tables.includes(table)) return []
    const isListing = indent === '' && line.startsWith(`table inet ${table} {`) && lines.slice(i).includes('}')
    return [{ file, line: i + 1, table, isListing }]
  })
}

/** The files of `include "…"`, also of a pattern such as `/etc/nftables.d/*.nft`. */
function includesIn(text: string, folder: string, looker: Looker): readonly string[] {
  return [...text.matchAll(/^\s*include\s+["']([^"']+)["']/gm)].flatMap(([, named = '']) => {
    const path = isAbsolute(named) ? named : join(folder, named)
    const [above, last] = [dirname(path), path.slice(path.lastIndexOf('/') + 1)]
    if (!last.includes('*')) return [path]
    const names = looker.list(above)
    const pattern = new RegExp(`^${last.split('*').map(escaped).join('.*')}$`)
    return names.known ? (names.value ?? []).filter((name) => pattern.test(name)).map((name) => join(above, name)) : []
  })
}

function escaped(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
}
