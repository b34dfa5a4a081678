import assert from 'node:assert/strict'
import { it } from 'node:test'
import { DEFAULT_TABLE } from '../../config/server/firewall-settings.ts'
import { parseListing } from '../../firewall/host/ruleset.ts'
import { parseProtocolPorts } from '../../packet/protocol-port.ts'
import { REMOVE_TABLE } from '../policy/render.ts'
import { judgeAfterUninstall } from './after-uninstall.ts'
import { planSteps } from './steps.ts'

const chain = (rules: string, policy: string): string =>
  `table inet filter {\n\tchain input {\n\t\ttype filter hook input priority 0; policy ${policy};\n\t\t${rules}\n\t}\n}\n`
const OURS = `table inet ${DEFAULT_TABLE} {\n\tchain gate {\n\t\ttype filter hook prerouting priority -150; policy accept;\n\t\ttcp dport { 22, 8080 } drop\n\t}\n}\n`

function ports(text: string) {
  const read = parseProtocolPorts(text)
  assert.ok(read.ok)
  return read.value
}

for (const [what, rules, hidden, letIn, states, locksOut] of [
  ['no rules: all is open', '', 'tcp/22,tcp/8080', undefined, ['open', 'open'], false],
  ['a policy that drops', chain('ct state established accept', 'drop'), 'tcp/22', undefined, ['shut'], true],
  [
    'ssh let in, another port not',
    chain('tcp dport 22 accept', 'drop'),
    'tcp/22,tcp/8080',
    undefined,
    ['open', 'shut'],
    false,
  ],
  [
    'ssh let in for one address',
    chain('ip saddr 192.0.2.1 tcp dport 22 accept', 'drop'),
    'tcp/22',
    undefined,
    ['unclear', 'shut'],
    true,
  ],
  ['a rule of ufw that goes too', chain('tcp dport 22 accept', 'drop'), 'tcp/22', 'ufw', ['shut'], true],
  ['a rule of firewalld that goes too', chain('tcp dport 22 accept', 'drop'), 'tcp/22', 'firewalld', ['shut'], true],
] as const)
  it(what, () => {
    const steps = planSteps({
      files: [],
      table: DEFAULT_TABLE,
      server: { active: false, enabled: false },
      ...(letIn !== undefined && { letIn: { by: letIn, ports: ports(hidden) } }),
    })
    // As they are in the journal.
    const changes = steps.now.flatMap((step) =>
      (step.kind === 'owe' || step.kind === 'run') && step.inverse !== undefined
        ? [{ what: step.about, inverse: { kind: 'run', argv: step.inverse } as const }]
        : [],
    )
    const tables = parseListing(OURS + rules)
    const found = judgeAfterUninstall(
      changes,
      { tables, unread: [] },
      { table: DEFAULT_TABLE, ipv6: true, ports: ports(hidden), ssh: ports('tcp/22') },
    )
    assert.deepEqual([found.ports.map(({ state }) => state), found.locksOut], [states, locksOut])
  })

for (const [what, inverse, state, locksOut] of [
  ['the policy that goes too shuts nothing', ['/usr/sbin/nft', REMOVE_TABLE], 'open', false],
  ['the policy that stays, since an earlier one comes back', ['/usr/sbin/nft', '-f', '/x'], 'shut', true],
] as const)
  it(what, () => {
    const policy = chain('ct mark & 0x00200000 == 0x00200000 accept', 'drop').replace('filter', 'ghostport_policy')
    const found = judgeAfterUninstall(
      [{ what: 'loaded the policy of this host', inverse: { kind: 'run', argv: inverse } }],
      { tables: parseListing(OURS + policy), unread: [] },
      { table: DEFAULT_TABLE, ipv6: true, ports: ports('tcp/22'), ssh: ports('tcp/22') },
    )
    assert.deepEqual([found.ports.map(({ state: each }) => each), found.locksOut], [[state], locksOut])
  })
