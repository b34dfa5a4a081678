/** Whether one program manages the firewall of this host, or several that do not know of each other. */
import type { FirewallManagers, ManagerName } from '../../facts/managers.ts'
import { defineCheck, type Finding, ifKnown, judged } from '../check.ts'

export const twoManagers = defineCheck({
  code: 'TWO_MANAGERS',
  side: 'server',
  question: 'Does one program alone manage the firewall?',
  needs: ['managers', 'units'],
  judge: ({ managers, units }) =>
    ifKnown(managers, (found) => {
      const nftablesRuns = units.known && units.value.get('nftables.service')?.enabled === 'enabled'
      const names = found.managers.map(({ name }) => name)
      return judged(
        [...bothManage(found), ...(nftablesRuns ? flushed(found) : [])],
        names.length === 0 ? 'nobody manages it' : names.join(', '),
      )
    }),
})

/** Those that decide over the whole of INPUT. */
const WHOLE: readonly ManagerName[] = ['ufw', 'firewalld', 'nft', 'iptables-nft']
/** How each leaves the other alone. */
const OFF: Partial<Record<ManagerName, string>> = {
  ufw: 'ufw disable',
  firewalld: 'systemctl disable --now firewalld',
}

function bothManage({ managers }: FirewallManagers): readonly Finding[] {
  const whole = managers.filter(({ name }) => WHOLE.includes(name))
  if (whole.length < 2) return []
  const off = whole.flatMap(({ name }) => OFF[name] ?? [])
  return [
    {
      severity: 'warning',
      text: `${whole.map(({ name }) => name).join(' and ')} write rules on this host: a packet must pass the rules of each`,
      evidence: whole.map(({ name, evidence }) => `${name}: ${evidence.slice(0, 3).join(', ')}`),
      cure: {
        advice:
          off.length === 0 ? 'keep the rules of one, and remove the others' : `keep one of them: ${off.join(', or ')}`,
      },
    },
  ]
}

/** Programs that write their rules once, and not again after a flush. */
const FLUSHED: readonly ManagerName[] = ['docker', 'ufw', 'fail2ban', 'iptables-nft']

function flushed({ managers, nftablesFlushes }: FirewallManagers): readonly Finding[] {
  const hit = managers.filter(({ name }) => FLUSHED.includes(name)).map(({ name }) => name)
  if (!nftablesFlushes.known || !nftablesFlushes.value || hit.length === 0) return []
  return [
    {
      severity: 'warning',
      text: `a restart of nftables.service removes the rules of ${hit.join(' and ')}`,
      evidence: ['/etc/nftables.conf says “flush ruleset”', 'nftables.service is enabled'],
      cure: {
        advice:
          'in /etc/nftables.conf, write “table inet filter” and “flush table inet filter” in place of “flush ruleset”, for each table of that file',
      },
    },
  ]
}
