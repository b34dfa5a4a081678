/** Whether a boot would load an old copy of ghostport's own tables. */
import type { Units } from '../../facts/systemd.ts'
import { type Answer, type Cure, defineCheck, ifKnown, judged } from '../check.ts'
import type { SavedTable } from '../looks/saved-tables.ts'

export const savedTables = defineCheck({
  code: 'SAVED_TABLES',
  side: 'server',
  question: 'Does no file of nftables load an old copy of ghostport’s tables?',
  needs: ['savedTables', 'units'],
  judge: ({ savedTables: found, units }) =>
    ifKnown(found, (saved) => judgeSavedTables(saved, units.known ? units.value : undefined)),
})

export function judgeSavedTables(saved: readonly SavedTable[], units: Units | undefined): Answer {
  const loads = units?.get('nftables.service')?.enabled === 'enabled'
  return judged(
    saved.map(({ file, line, table, isListing }) => ({
      severity: loads ? 'error' : 'warning',
      text: `${file} has an old copy of the table “inet ${table}”, with what was open when it was saved${
        loads ? '; each boot loads it' : ''
      }`,
      evidence: [`${file}:${line}`, `nftables.service is ${loads ? 'enabled' : 'not enabled'}`],
      cure: cureFor(file, table, isListing),
    })),
    'none has a copy',
  )
}

function cureFor(file: string, table: string, isListing: boolean): Cure {
  // Another form may go on in other lines, and only a person can tell them.
  if (!isListing || !/^[\w/.-]+$/.test(file))
    return { advice: `remove “table inet ${table}” from that file: ghostport makes its tables itself` }
  return { command: `sed --follow-symlinks -i '/^table inet ${table} {/,/^}/d' ${file}` }
}
