/** The host's own rules around our chains: read from nftables and iptables, and judged without a grant and with one. */
import type { ChainsShape } from '../../config/server/firewall-settings.ts'
import { ok, type Result } from '../../result.ts'
import type { FirewallFailure } from '../firewall.ts'
import type { HostRuleset, RulesAround } from '../host/findings.ts'
import { parseIptablesSave } from '../host/iptables-save.ts'
import { readHost } from '../host/read-host.ts'
import { HostRuleLine, type HostTable } from '../host/ruleset.ts'
import { openNftables } from '../nftables/library.ts'
import type { Programs } from './programs.ts'

type Shape = Pick<ChainsShape, 'chains'>

export async function rulesAround(programs: Programs, shape: Shape): Promise<Result<RulesAround, FirewallFailure>> {
  const read = await readRules(programs, shape)
  if (!read.ok) return read
  const { table, from } = shape.chains.input
  return ok({
    stranger: { ...read.value, tables: read.value.tables.map((one) => withoutUs(one, shape, 'passed over')) },
    granted: { ...read.value, tables: read.value.tables.map((one) => withoutUs(one, shape, 'accept')) },
    jumpsFrom: `${table} ${from}`,
  })
}

/** Through libnftables, which knows all tables. Where it is missing, only those that our own program lists. */
async function readRules(programs: Programs, { chains }: Shape): Promise<Result<HostRuleset, FirewallFailure>> {
  const nft = openNftables()
  if (nft.ok) {
    const read = await readHost(nft.value)
    nft.value.close()
    return read
  }
  const tables: HostTable[] = []
  for (const family of [4, 6] as const) {
    const saved = await programs.save(family, chains.input.table)
    if (saved.ok) tables.push(...parseIptablesSave(saved.value, family === 4 ? 'ip' : 'ip6'))
    else if (family === 4) return saved
  }
  const unread = [`the rules of nftables were not judged: ${nft.failure.detail}`]
  return ok({ tables, unread })
}

/** What the host's rules do if ours pass a packet over, or accept it. */
function withoutUs(table: HostTable, { chains }: Shape, ours: 'passed over' | 'accept'): HostTable {
  if (table.family !== 'ip' && table.family !== 'ip6') return table
  const places = [chains.input, chains.forward].filter((place) => place.table === table.name)
  if (places.length === 0) return table
  const changed = new Map(table.chains)
  for (const place of places) {
    const from = changed.get(place.from)
    if (from === undefined) continue
    const rules = from.rules.flatMap((rule) => {
      const isJump = rule.parts.some(({ verdict }) => verdict.does === 'jump' && verdict.chain === place.chain)
      if (!isJump) return [rule]
      return ours === 'accept' ? [new HostRuleLine(rule.chain, 'accept', rule.shown)] : []
    })
    changed.set(place.from, { ...from, rules })
  }
  return { ...table, chains: changed }
}
