import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { POLICY } from '../../../test/support/host-policy.ts'
import { DEFAULT_MARK } from '../../config/server/firewall-settings.ts'
import { parseListing } from '../../firewall/host/ruleset.ts'
import type { IpAddress } from '../../packet/address.ts'
import { type Port, port } from '../../units.ts'
import type { FirewallManagers, ManagerName } from '../facts/managers.ts'
import type { Session } from '../facts/session.ts'
import { type Known, known, notKnown } from '../known.ts'
import { judgeConfirmation, judgeOthers, judgeWayIn, type WaysIn } from './judge-host.ts'
import type { HostPolicy } from './policy.ts'

const tcp = (...numbers: number[]) => numbers.map((number) => ({ protocol: 'tcp', port: port(number) }) as const)

describe('another policy on this host', () => {
  const managed = (...names: ManagerName[]): Known<FirewallManagers> =>
    known({
      managers: names.map((name) => ({ name, evidence: [`a sign of ${name}`] })),
      legacyTables: [],
      iptables: known('nft'),
      nftablesFlushes: known(false),
    })
  const judge = (managers: Known<FirewallManagers>, listing = '') =>
    judgeOthers(managers, parseListing(listing), { mark: DEFAULT_MARK, allow: tcp(80), own: 'ghostport' })
  const table = (name: string, policy: string, ...rules: string[]): string =>
    `table inet ${name} {\n\tchain input {\n\t\ttype filter hook input priority 0; policy ${policy};\n${rules.map((rule) => `\t\t${rule}\n`).join('')}\t}\n}\n`

  test('none: nobody, Docker, fail2ban, rules that drop nothing by default, our own tables', () => {
    for (const [names, listing] of [
      [[], ''],
      [['docker', 'fail2ban'], ''],
      [['nft'], table('filter', 'accept', 'tcp dport 23 drop')],
      [[], table('ghostport_policy', 'drop') + table('ghostport', 'drop')],
      [
        ['nft'],
        'table ip filter {\n\tchain forward {\n\t\ttype filter hook forward priority 0; policy drop;\n\t}\n}\n',
      ],
    ] as const)
      assert.equal(judge(managed(...names), listing), undefined, listing)
  })
  for (const [what, managers, listing, detail, instead] of [
    ['ufw', managed('ufw'), '', /^ufw manages .* \(a sign of ufw\)/, /ufw allow 80\/tcp\nufw default deny incoming/],
    [
      'ufw that is switched on in its file',
      known({ managers: [], ufwEnabled: true }),
      '',
      /^ufw manages/,
      /before6\.rules/,
    ],
    [
      'firewalld',
      managed('firewalld'),
      '',
      /^firewalld manages/,
      /firewall-cmd --permanent --add-port=80\/tcp\n.*--reload/,
    ],
    [
      'a chain that drops by default',
      managed('nft'),
      table('filter', 'drop', 'tcp dport 22 accept'),
      /^inet filter input drops by default already/,
      /nft insert rule inet filter input ct mark and 0x200000 == 0x200000 accept/,
    ],
    [
      'one that drops by its last rule',
      managed('nft'),
      table('f', 'accept', 'reject'),
      /^inet f input drops/,
      /nft insert/,
    ],
    [
      'one for IPv6 alone',
      managed('iptables-nft'),
      'table ip6 filter {\n\tchain INPUT {\n\t\ttype filter hook input priority 0; policy drop;\n\t}\n}\n',
      /^ip6 filter INPUT drops/,
      /ip6tables -I INPUT 1/,
    ],
    ['what is not known', notKnown('no nft'), '', /is not known: no nft/, /^$/],
  ] as const)
    test(`${what} is a refusal`, () => {
      const found = judge(managers as Known<FirewallManagers>, listing)
      assert.equal(found?.failure.code, 'POLICY_CONFLICT')
      assert.match(found?.failure.detail ?? '', detail)
      assert.match(found?.instead.join('\n') ?? '', instead)
    })
})

const ssh = (
  peer: string,
  localPort: number,
  mark: Known<number | undefined> = known(0),
  local = '192.0.2.1',
): Known<Session> =>
  known({
    kind: 'ssh',
    connection: {
      peer: peer as IpAddress,
      peerPort: port(50_000),
      local: local as IpAddress,
      localPort: port(localPort),
    },
    by: 'parents',
    mark,
  })
const LOCAL: Known<Session> = known({ kind: 'local' })

describe('the way in', () => {
  const judge = (policy: Partial<HostPolicy>, session: Known<Session>, more: Partial<WaysIn> = {}) => {
    const judged = judgeWayIn(
      { ...POLICY, ...policy },
      {
        session,
        sshPorts: known([port(22)]),
        interfaces: known([
          {
            name: 'wg0',
            addresses: [{ address: '10.0.0.1' as IpAddress, prefixLength: 24 }],
            defaultRoute: [],
          },
        ]),
        console: false,
        ...more,
      },
    )
    return judged.ok ? judged.value : judged.failure
  }
  const PEER = '198.51.100.7'
  for (const [what, policy, session, more, wanted] of [
    ['the session came by a knock', {}, ssh(PEER, 22, known(0x20_0000 | 1)), {}, 'knock'],
    ['its port is let in', { allow: tcp(22) }, ssh(PEER, 22), {}, 'rule'],
    [
      'its source is let in',
      { allowFrom: [{ network: { prefix: '198.51.100.0' as IpAddress, length: 24 }, ports: [] }] },
      ssh(PEER, 22),
      {},
      'rule',
    ],
    [
      'its source is let in at its port',
      { allowFrom: [{ network: { prefix: '198.51.100.7' as IpAddress, length: 32 }, ports: tcp(2222) }] },
      ssh(PEER, 2222),
      {},
      'rule',
    ],
    ['its interface is trusted', { trusted: ['wg0' as never] }, ssh(PEER, 22, known(0), '10.0.0.1'), {}, 'rule'],
    ['there is a console', {}, ssh(PEER, 22), { console: true }, 'console'],
    ['no ssh session, but each port of ssh is let in', { allow: tcp(22, 80) }, LOCAL, {}, 'rule'],
    [
      'the session is not known, but each port of ssh is let in',
      { allow: tcp(22, 2222) },
      notKnown('tmux'),
      { sshPorts: known([22, 2222] as Port[]) },
      'rule',
    ],
  ] as const)
    test(`is there: ${what}`, () => assert.equal(judge(policy, session, more), wanted))

  for (const [what, policy, session, more, detail, suggestion] of [
    [
      'a session without a knock',
      {},
      ssh(PEER, 22),
      {},
      /comes from 198\.51\.100\.7:50000 to port 22, no knock opened it/,
      '--allow-from 198.51.100.7,tcp/22',
    ],
    [
      'a session that the kernel does not track',
      {},
      ssh(PEER, 22, known(undefined)),
      {},
      /no knock opened it/,
      undefined,
    ],
    ['another mark', {}, ssh(PEER, 22, known(0x10_0000)), {}, /no knock opened it/, undefined],
    ['a mark that is not known', {}, ssh(PEER, 22, notKnown('no netlink')), {}, /not known: no netlink/, undefined],
    ['a rule for another port', { allow: tcp(80) }, ssh(PEER, 22), {}, /no rule of the policy/, undefined],
    [
      'a rule for another protocol',
      { allow: [{ protocol: 'udp', port: port(22) }] },
      ssh(PEER, 22),
      {},
      /no rule/,
      undefined,
    ],
    [
      'a rule for other ports of the source',
      { allowFrom: [{ network: { prefix: PEER as IpAddress, length: 32 }, ports: tcp(80) }] },
      ssh(PEER, 22),
      {},
      /no rule/,
      undefined,
    ],
    ['another interface', { trusted: ['wg0' as never] }, ssh(PEER, 22), {}, /no rule/, undefined],
    ['no ssh session', {}, LOCAL, {}, /does not run in an ssh session/, '--allow tcp/22'],
    [
      'a session that is not known',
      {},
      notKnown('this program runs in tmux'),
      {},
      /not known: this program runs in tmux/,
      '--allow tcp/22',
    ],
    [
      'only some ports of ssh are let in',
      { allow: tcp(22) },
      LOCAL,
      { sshPorts: known([22, 2222] as Port[]) },
      /not run in an ssh/,
      '--allow tcp/22,tcp/2222',
    ],
    ['no port of ssh is known', { allow: tcp(22) }, LOCAL, { sshPorts: notKnown('x') }, /not run in an ssh/, undefined],
  ] as const)
    test(`is not there: ${what}`, () => {
      const failure = judge(policy, session, more)
      assert.ok(typeof failure === 'object')
      assert.equal(failure.code, 'POLICY_LOCKS_OUT')
      assert.match(failure.detail, detail)
      if (suggestion !== undefined) assert.equal(failure.suggestion, suggestion)
    })
})

describe('the confirmation', () => {
  const older = ssh('198.51.100.7', 22)
  const before = older.known && older.value.kind === 'ssh' ? [older.value.connection] : []
  const judge = (session: Known<Session>, console = false) => judgeConfirmation(session, { before, console })
  test('comes from a connection that is newer than the policy, or from a console', () => {
    assert.ok(judge(ssh('198.51.100.7', 2222)).ok)
    assert.ok(judge(ssh('198.51.100.8', 22)).ok)
    assert.ok(judge(LOCAL, true).ok)
    for (const [session, detail] of [
      [ssh('198.51.100.7', 22), /older than the policy/],
      [LOCAL, /does not run in an ssh session/],
      [notKnown('tmux'), /not known: tmux/],
    ] as const) {
      const judged = judge(session)
      assert.ok(!judged.ok)
      assert.equal(judged.failure.code, 'NOT_CONFIRMED')
      assert.match(judged.failure.detail, detail)
    }
  })
})
