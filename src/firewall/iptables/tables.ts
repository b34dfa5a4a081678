/** Reads the tables that chains of ours are in, and tries whether the kernel takes rules of ours. */
import type { ChainPlace, ChainRole, ChainsShape } from '../../config/server/firewall-settings.ts'
import type { AddressFamily } from '../../packet/address.ts'
import { ok, type Result, refuse } from '../../result.ts'
import type { FirewallFailure } from '../firewall.ts'
import type { Programs } from './programs.ts'
import { parseSave, type SavedTable } from './save.ts'

/** Tables by name. */
export type SavedTables = ReadonlyMap<string, SavedTable>

export const FAMILIES: readonly AddressFamily[] = [4, 6]
/** A chain that no packet meets: a start tries there what rules of ours need. */
const TRIAL_CHAIN = 'GHOSTPORT_TRIAL'

type Chains = ChainsShape['chains']

/** @param names default: the tables that chains of ours are in. */
export async function readTables(
  programs: Pick<Programs, 'save'>,
  chains: Chains,
  family: AddressFamily,
  names: readonly string[] = [...new Set(Object.values(chains).map(({ table }) => table))],
): Promise<Result<SavedTables, FirewallFailure>> {
  const tables = new Map<string, SavedTable>()
  for (const name of names) {
    const saved = await programs.save(family, name, 'counted')
    if (!saved.ok) return saved
    for (const [table, contents] of parseSave(saved.value)) tables.set(table, contents)
  }
  return ok(tables)
}

/** The chains of ours, with what each is for. */
export function placesOf(chains: Chains): readonly (readonly [ChainRole, ChainPlace])[] {
  return Object.entries(chains) as [ChainRole, ChainPlace][]
}

/** Tries the matches that our rules use, in a chain that no packet meets: the kernel says no sooner what it lacks. */
export async function tryRules(
  programs: Pick<Programs, 'restore'>,
  chains: Chains,
  family: AddressFamily,
): Promise<Result<void, FirewallFailure>> {
  const { table } = chains.input
  const matches = '-m comment --comment ghostport -m time --datestop 2001-01-01T00:00:00'
  const rule = `-A ${TRIAL_CHAIN} -p tcp -m tcp --dport 1 ${matches} -m conntrack --ctstate DNAT -j ACCEPT`
  const tried = await programs.restore(family, `*${table}\n:${TRIAL_CHAIN} - [0:0]\n${rule}\nCOMMIT\n`)
  if (!tried.ok) {
    if (tried.failure.code === 'FIREWALL_UNAVAILABLE') return tried
    return refuse(
      'FIREWALL_UNAVAILABLE',
      `iptables cannot make the rules that FIREWALL iptables needs (the matches comment, time and conntrack): ${tried.failure.detail}`,
      { suggestion: 'FIREWALL nftables;' },
    )
  }
  return await programs.restore(family, `*${table}\n-F ${TRIAL_CHAIN}\n-X ${TRIAL_CHAIN}\nCOMMIT\n`)
}
