/** The rules of a host as one can load them again elsewhere. Pure. */

/** Chains that the programs of iptables make, in tables that they then manage. */
const IPTABLES_TABLE = /^table (ip|ip6) (filter|nat|mangle|raw|security) \{/
const IPTABLES_CHAIN = /^\tchain [A-Z]+ \{\n\t\ttype /m

export interface SplitRules {
  /** For `nft -f`. */
  readonly text: string
  /** Families whose tables only iptables-nft can save and load. */
  readonly iptables: readonly ('ip' | 'ip6')[]
}

/**
 * @param listing of `nft list ruleset`.
 * @param ours the name of our table in family `inet`, which is left out.
 */
export function splitRules(listing: string, ours: string): SplitRules {
  const iptables = new Set<'ip' | 'ip6'>()
  const kept = listing.split(/^(?=table )/m).filter((table) => {
    if (!table.startsWith('table ') || table.startsWith(`table inet ${ours} {`)) return false
    const [, family] = IPTABLES_TABLE.exec(table) ?? []
    if (family === undefined || !IPTABLES_CHAIN.test(table)) return true
    iptables.add(family as 'ip' | 'ip6')
    return false
  })
  // A table that another program owns would go with the program that loads it.
  const text = kept.map((table) => table.replace(/^\tflags [a-z, ]*\bowner\b.*\n/m, '')).join('')
  return { text, iptables: [...iptables] }
}

/** A listing without what each packet and each second changes. */
export function comparable(listing: string): string {
  return listing
    .replace(/ expires [\dhdms]+/g, '')
    .replace(/\bpackets \d+ bytes \d+/g, '')
    .replace(/^[#:].*\n/gm, (line) => line.replace(/\[\d+:\d+\]/, '').replace(/^#.*\n/, ''))
}
