/** Whether iptables-legacy has rules beside those of nftables. The kernel asks both, and no one listing shows both. */
import { defineCheck, type Finding, ifKnown, judged } from '../check.ts'

export const legacyTables = defineCheck({
  code: 'LEGACY_TABLES',
  side: 'server',
  question: 'Are all rules of the firewall in nftables?',
  needs: ['managers'],
  judge: ({ managers }) =>
    ifKnown(managers, ({ managers: all, legacyTables: tables, iptables }) => {
      if (tables.length === 0) return judged([], 'the kernel has no table of iptables-legacy')
      const legacy = all.find(({ name }) => name === 'iptables-legacy')
      const others = all.filter(({ name }) => name !== 'iptables-legacy').map(({ name }) => name)
      const named = tables.join(', ')
      if (legacy === undefined) return judged([], `the tables of iptables-legacy have no rules: ${named}`)
      const isOnlyKind = others.length === 0 && iptables.known && iptables.value === 'legacy'
      if (isOnlyKind) return judged([], `all rules are in iptables-legacy: ${named}`)
      const families = ['ip', 'ip6'].filter((family) => tables.includes(`${family} filter`))
      const finding: Finding = {
        severity: 'warning',
        text: 'some rules are in iptables-legacy, and nft does not list them: a packet must pass both',
        evidence: [...legacy.evidence, `nftables: ${others.join(', ') || 'no rules'}`],
        cure: { command: families.map(moveRules).join(' && ') },
      }
      return judged([finding], '')
    }),
})

/** Writes the same rules into nftables first, so that no port is open in between. */
function moveRules(family: string): string {
  const program = family === 'ip' ? 'iptables' : 'ip6tables'
  const open = ['INPUT', 'FORWARD', 'OUTPUT'].map((chain) => `${program}-legacy -P ${chain} ACCEPT`)
  return [
    `${program}-legacy-save -t filter | ${program}-nft-restore --noflush`,
    ...open,
    `${program}-legacy -F`,
    `${program}-legacy -X`,
  ].join(' && ')
}
