/**
 * Looks whether the host's own rules will let through what we mark (docs/OPERATING.md § Living with the host's own firewall). It reads what nftables
 * lists, so it sees plain nft, iptables-nft, ufw and firewalld, but not iptables-legacy.
 */
import { hostRules } from './host-rules.ts'
import type { ConnectionMark, TableName } from './settings.ts'

/** A base chain of somebody else's that drops or rejects what no rule of its own accepts. */
export interface DroppingChain {
  readonly family: string
  readonly table: string
  readonly chain: string
  readonly hook: 'input' | 'forward'
  /** Whether a rule of its table accepts connections that carry our mark. */
  readonly acceptsMark: boolean
}

/** @param listing what `list ruleset` prints. @param own our table, which is passed over. */
export function findDroppingChains(listing: string, own: TableName, mark: ConnectionMark): readonly DroppingChain[] {
  return tablesOf(listing).flatMap(({ family, name, chains }) => {
    if (family === 'inet' && name === own) return []
    const acceptsMark = chains.some(({ rules }) => rules.some((rule) => acceptsMarked(rule, mark)))
    return chains.flatMap(({ name: chain, rules }): DroppingChain[] => {
      const [, hook, policy] = /^type filter hook (input|forward) .*policy (\w+);$/.exec(rules[0] ?? '') ?? []
      // iptables and ufw drop by policy, firewalld by a last rule without conditions.
      const last = /^(counter packets \d+ bytes \d+ )?(drop|reject( with .*)?)$/.test(rules.at(-1) ?? '')
      if ((hook !== 'input' && hook !== 'forward') || !(policy === 'drop' || last)) return []
      return [{ family, table: name, chain, hook, acceptsMark }]
    })
  })
}

/**
 * What the administrator should hear at the start, in mark mode.
 * @param forwarding whether there may be grants for inner hosts.
 */
export function hostWarnings(
  chains: readonly DroppingChain[],
  mark: ConnectionMark,
  forwarding: boolean,
): readonly string[] {
  const warnings: string[] = []
  if (!chains.some(({ hook }) => hook === 'input')) {
    warnings.push(
      'no chain of nftables drops by default: unless iptables-legacy does, every port is open to all; ' +
        'drop by default, or use FIREWALL_MODE gate',
    )
  }
  for (const { family, table, chain, hook, acceptsMark } of chains) {
    if (acceptsMark || (hook === 'forward' && !forwarding)) continue
    warnings.push(
      `${family} ${table} ${chain} will still drop what ghostport opens; add: ${ruleFor(family, table, chain)}`,
    )
  }
  return warnings

  function ruleFor(family: string, table: string, chain: string): string {
    // A table that iptables manages wants its rules from iptables.
    if (family !== 'inet' && table === 'filter' && /^[A-Z]+$/.test(chain)) {
      const lines = hostRules({ kind: 'iptables' }, mark).flatMap((rule) => rule.lines)
      const program = family === 'ip6' ? 'ip6tables' : 'iptables'
      return lines.find((line) => line.startsWith(`${program} -I ${chain} `)) ?? ''
    }
    const at = { family: family as 'inet' | 'ip' | 'ip6', table, chain }
    return hostRules({ kind: 'nft', chains: [at] }, mark)
      .flatMap((rule) => rule.lines)
      .join('; ')
  }
}

/** `ct mark & 0x200000 == 0x200000 accept`, however nft and the translation of iptables rules write it. */
function acceptsMarked(rule: string, mark: ConnectionMark): boolean {
  const match =
    /^ct mark (?:(?:and|&) (0x[0-9a-f]+) == )?(0x[0-9a-f]+) (?:counter packets \d+ bytes \d+ )?accept$/.exec(rule)
  if (match === null) return false
  const [mask, value] = [BigInt(match[1] ?? '0xffffffff'), BigInt(match[2] ?? '0')]
  return value !== 0n && (BigInt(mark) & mask) === value
}

interface ListedTable {
  readonly family: string
  readonly name: string
  readonly chains: { readonly name: string; readonly rules: string[] }[]
}

/** The tables of `list ruleset`, with each chain's lines: of a base chain, the first says its hook. */
function tablesOf(listing: string): readonly ListedTable[] {
  const tables: ListedTable[] = []
  let rules: string[] | undefined
  for (const line of listing.split('\n')) {
    const table = /^table (\w+) (\S+) \{$/.exec(line)
    const chain = /^\tchain (\S+) \{$/.exec(line)
    if (table !== null) tables.push({ family: table[1] ?? '', name: table[2] ?? '', chains: [] })
    else if (chain !== null) {
      rules = []
      tables.at(-1)?.chains.push({ name: chain[1] ?? '', rules })
    } else if (/^\t?\}$/.test(line)) rules = undefined
    else if (/^\t\t\S/.test(line)) rules?.push(line.trim())
  }
  return tables
}
