/** What an administrator asks of the chains: are they there, what is in them, remove them. No server runs for this. */
import type { ChainPlace, ChainRole, ChainsShape } from '../../config/server/firewall-settings.ts'
import type { AddressFamily } from '../../packet/address.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { ok, type Result } from '../../result.ts'
import type { FirewallFailure, Installed, RulesToList } from '../firewall.ts'
import type { LeftPort } from '../host/after-removal.ts'
import type { Finding, PortsInUse } from '../host/findings.ts'
import type { Programs } from './programs.ts'
import { removeChains } from './rules.ts'
import { jumpsTo, ownRules, readOwnChains } from './save.ts'
import { FAMILIES, placesOf, readTables } from './tables.ts'

type Shape = Pick<ChainsShape, 'chains' | 'prepend'>

export async function chainsInstalled(
  programs: Programs,
  { chains }: Shape,
): Promise<Result<Installed, FirewallFailure>> {
  const tables = await readTables(programs, chains, 4, [chains.input.table])
  if (!tables.ok) return tables
  return ok({ kind: tables.value.get(chains.input.table)?.has(chains.input.chain) ? 'chains' : 'absent' })
}

/** @returns the name of a chain of ours with rules of others; undefined if there is none. */
export async function chainWithStrangers(
  programs: Programs,
  { chains }: Shape,
): Promise<Result<string | undefined, FirewallFailure>> {
  for (const family of FAMILIES) {
    const tables = await readTables(programs, chains, family)
    if (!tables.ok) {
      if (family === 4) return tables
      continue
    }
    for (const [role, place] of placesOf(chains)) {
      const own = readOwnChains(tables.value, { [role]: place } as Record<ChainRole, ChainPlace>)
      if (own.foreign > 0) return ok(place.chain)
    }
  }
  return ok(undefined)
}

export async function findingsOfHost(
  programs: Programs,
  shape: Shape,
  ports: PortsInUse,
): Promise<Result<readonly Finding[], FirewallFailure>> {
  // Not loaded at the start: a server is ready before it judges its host.
  const [{ hasIpv6 }, { findingsAround }, { rulesAround }] = await Promise.all([
    import('../host/read-host.ts'),
    import('../host/findings.ts'),
    import('./host.ts'),
  ])
  const around = await rulesAround(programs, shape)
  return around.ok ? ok(findingsAround(around.value, { ...ports, ipv6: hasIpv6() })) : around
}

export async function portsAfterRemoval(
  programs: Programs,
  shape: Shape,
  ports: readonly ProtocolPort[],
): Promise<Result<readonly LeftPort[], FirewallFailure>> {
  const [{ hasIpv6 }, { afterRemoval }, { rulesAround }] = await Promise.all([
    import('../host/read-host.ts'),
    import('../host/after-removal.ts'),
    import('./host.ts'),
  ])
  const around = await rulesAround(programs, shape)
  return around.ok ? ok(afterRemoval(around.value.stranger, { ipv6: hasIpv6(), ports })) : around
}

export async function listChains(
  programs: Programs,
  { chains: places, prepend }: Shape,
  which: RulesToList,
): Promise<Result<string, FirewallFailure>> {
  let text = ''
  for (const family of FAMILIES) {
    const tables = await readTables(programs, places, family)
    if (!tables.ok) {
      if (family === 4) return tables
      continue
    }
    for (const [table, chains] of tables.value) {
      const ours = placesOf(places).flatMap(([, place]) =>
        place.table === table && chains.has(place.chain) ? [place.chain] : [],
      )
      for (const chain of which === 'all' ? [''] : ours) {
        const listed = await programs.list(family, table, chain)
        if (!listed.ok) return listed
        text += `${family === 4 ? 'iptables' : 'ip6tables'}, table ${table}:\n${listed.value}\n`
        if (which === 'commands')
          for (const rule of chains.get(chain) ?? []) {
            const isFirst = ownRules([rule]).length > 0 && (prepend || rule.words.at(-1) === 'DROP')
            const how = isFirst ? '-I' : '-A'
            text += `${family === 4 ? 'iptables' : 'ip6tables'} -t ${table} ${how} ${chain} ${rule.words.join(' ')}\n`
          }
      }
    }
  }
  return ok(text)
}

/** Removes the jumps and the chains of both families. @param onRemoved called for each family that is done. */
export async function removeOurChains(
  programs: Programs,
  { chains }: Shape,
  onRemoved: (family: AddressFamily) => void,
): Promise<Result<void, FirewallFailure>> {
  for (const family of FAMILIES) {
    const tables = await readTables(programs, chains, family)
    if (!tables.ok) {
      if (family === 4) return tables
      continue
    }
    const places = placesOf(chains).flatMap(([, place]) =>
      tables.value.get(place.table)?.has(place.chain) ? [{ ...place, jumps: jumpsTo(tables.value, place).jumps }] : [],
    )
    const batch = removeChains(places)
    const removed = batch.isEmpty ? ok(undefined) : await programs.restore(family, String(batch))
    if (!removed.ok) return removed
    onRemoved(family)
  }
  return ok(undefined)
}
