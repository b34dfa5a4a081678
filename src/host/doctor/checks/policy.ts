/** Whether the policy that “ghostport policy” made is in force. Its watch puts it back after a flush, if that runs. */
import { POLICY_TABLE } from '../../../firewall/host/cures.ts'
import type { HostTable } from '../../../firewall/host/ruleset.ts'
import { POLICY_UNIT, POLICY_UNIT_FILE } from '../../policy/units.ts'
import { type Answer, defineCheck, good, ifKnown, judged } from '../check.ts'

export const policy = defineCheck({
  code: 'POLICY',
  side: 'server',
  question: 'Is the policy of “ghostport policy” in force, if this host has one?',
  needs: ['policyUnit', 'hostRules'],
  judge: ({ policyUnit, hostRules }) =>
    ifKnown(policyUnit, (isInstalled) =>
      isInstalled ? ifKnown(hostRules, ({ ruleset }) => judgePolicy(true, ruleset.tables)) : judgePolicy(false, []),
    ),
})

export function judgePolicy(isInstalled: boolean, tables: readonly HostTable[]): Answer {
  if (!isInstalled) return good('this host has none')
  const name = `inet ${POLICY_TABLE}`
  const isThere = tables.some((table) => `${table.family} ${table.name}` === name)
  return judged(
    isThere
      ? []
      : [
          {
            severity: 'error',
            text: 'the policy of this host is not in force: another program removed its table',
            evidence: [`${POLICY_UNIT_FILE} is there`, `nftables has no table “${name}”`],
            cure: { command: `systemctl reload-or-restart ${POLICY_UNIT}` },
          },
        ],
    name,
  )
}
