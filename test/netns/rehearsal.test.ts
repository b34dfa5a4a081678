/** The rehearsal of `ghostport init`, on hosts with rules of several kinds. It must find what would go wrong. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { renderPolicy } from '../../src/host/policy/render.ts'
import type { Rehearsal } from '../../src/host/set-up/rehearse.ts'
import { port } from '../../src/units.ts'
import { POLICY } from '../support/host-policy.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'

const program = fileURLToPath(new URL('../support/rehearsal-process.ts', import.meta.url))
const input = (rules: string): string =>
  `table inet filter { chain input { type filter hook input priority 0; policy drop; ct state established accept; iif lo accept; icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept; ${rules}; }; }`
const MARK = 'ct mark and 0x200000 == 0x200000 accept'

describe('a rehearsal', { skip: netnsUnavailable() }, () => {
  let net: Network
  let host: Host
  before(async () => {
    net = await Network.create()
    host = await net.host('host')
  })
  after(() => net?.close())

  function rehearsal(rules: string, way: object, wish: object = {}): Rehearsal {
    host.must(['nft', 'flush', 'ruleset'])
    if (rules !== '') host.must(['nft', '-f', '-'], { input: rules })
    const before = host.must(['nft', 'list', 'ruleset'])
    const ports = [{ protocol: 'tcp', port: 22 }]
    const all = { ports, way, table: 'ghostport', mark: 0x20_0000, interfaces: ['eth0'], legacy: [], ...wish }
    const said = host.must([process.execPath, '--conditions=ghostport-source', program, JSON.stringify(all)], {
      timeoutMs: 60_000,
    })
    assert.equal(host.must(['nft', 'list', 'ruleset']), before, 'the rehearsal changed the host')
    assert.equal(host.must(['ip', '-o', 'link']).trim().split('\n').length, 1, 'it left an interface')
    return JSON.parse(said) as Rehearsal
  }

  const bad = ({ scenes }: Rehearsal): readonly string[] => scenes.flatMap(({ what, good }) => (good ? [] : [what]))

  it('of a gate on a host without rules: all is good', () => {
    const { kind, scenes } = rehearsal('', { kind: 'gate' })
    assert.equal(kind, 'rehearsed')
    assert.deepEqual(
      scenes.map(({ what, good }) => `${good} ${what}`),
      [
        'true tcp/22: no stranger gets in any more, over IPv4 and IPv6',
        'true a session that was there before lives on',
        'true a knock opens, over IPv4 and IPv6',
        'true and opens to nobody else',
        'true when all is taken back, the rules are as before',
        'true and who got in before gets in again',
      ],
    )
  })

  it('of a mark beside rules that accept it: all is good', () => {
    const done = rehearsal(input(MARK), { kind: 'mark' })
    assert.deepEqual([done.kind, bad(done)], ['rehearsed', []])
  })

  const policyWith = (...allow: number[]) => {
    const ports = allow.map((number) => ({ protocol: 'tcp', port: port(number) }) as const)
    const text = renderPolicy({ ...POLICY, allow: ports })
    return { text, allow: ports }
  }

  it('of a gate with the policy of the host: all is good', () => {
    const { kind, scenes } = rehearsal('', { kind: 'gate' }, { policy: policyWith(80) })
    assert.equal(kind, 'rehearsed')
    assert.deepEqual(
      scenes.map(({ what, good }) => `${good} ${what}`),
      [
        'true tcp/22: no stranger gets in any more, over IPv4 and IPv6',
        'true a session that was there before lives on',
        'true with the policy, nobody gets in at any other port',
        'true the session lives on with the policy too',
        'true the policy lets tcp/80 in as before',
        'true a knock opens, over IPv4 and IPv6',
        'true and opens to nobody else',
        'true when all is taken back, the rules are as before',
        'true and who got in before gets in again',
      ],
    )
  })

  it('finds that a policy drops also those who knocked, lets others in, or ends sessions', () => {
    const { text, allow } = policyWith()
    const [deaf, open, mute] = [
      text.replace(/^.*ct mark and .*$/gm, ''),
      text.replace('policy drop', 'policy accept').replace(/^ *counter drop$/gm, ''),
      text.replace(/^.*established,related.*$/gm, '').replace(/^.*@known[46].*$/gm, ''),
    ]
    for (const [wrong, found] of [
      [deaf, /a knock opens/],
      [open, /nobody gets in at any other port/],
      [mute, /the session lives on with the policy/],
    ] as const)
      assert.match(bad(rehearsal('', { kind: 'gate' }, { policy: { text: wrong, allow } })).join(), found)
  })

  it('finds that the host drops also those who knocked', () => {
    const letIn = { by: 'ufw', ports: [{ protocol: 'tcp', port: 22 }] }
    // The rule goes into a chain that nothing leads to.
    const chains = ['ip', 'ip6'].map((family) => {
      const ufw = family === 'ip' ? 'ufw' : 'ufw6'
      return `table ${family} filter { chain INPUT { type filter hook input priority 0; policy accept; }; chain ${ufw}-user-input { }; };`
    })
    const done = rehearsal(`${chains.join('\n')}\n${input('udp dport 1 accept')}`, { kind: 'gate', letIn })
    assert.deepEqual(bad(done), ['a knock opens, over IPv4 and IPv6'])
  })

  it('does not judge a knock where the host lets only some addresses in, or leads the port elsewhere', () => {
    const nat =
      'table ip nat { chain c { type nat hook prerouting priority -100; tcp dport 22 dnat to 172.17.0.2:22; }; }'
    for (const rules of [
      input('ip saddr 192.0.2.1 tcp dport 22 accept; ip6 saddr 2001:db8::1 tcp dport 22 accept'),
      nat,
    ]) {
      const done = rehearsal(rules, { kind: 'gate' })
      assert.ok(done.kind === 'rehearsed' && done.untried[0]?.startsWith('that a knock opens tcp/22 was not tried'))
      assert.deepEqual(bad(done), [])
    }
  })

  it('finds that a port stays open in mark mode', () => {
    const done = rehearsal(input(`${MARK}; tcp dport 22 accept`), { kind: 'mark' })
    assert.ok(bad(done).includes('tcp/22: no stranger gets in any more, over IPv4 and IPv6'))
  })

  it('says what cannot be loaded, and judges nothing then', () => {
    host.must(['nft', 'flush', 'ruleset'])
    host.must(['ip', 'link', 'add', 'other9', 'type', 'bridge'])
    host.must(['nft', '-f', '-'], {
      input: 'table inet x { chain c { type filter hook input priority 0; iif other9 accept; }; }',
    })
    const all = { ports: [{ protocol: 'tcp', port: 22 }], way: { kind: 'gate' }, table: 'ghostport', mark: 0x20_0000 }
    const said = host.must([
      ...[process.execPath, '--conditions=ghostport-source', program],
      JSON.stringify({ ...all, interfaces: ['eth0'], legacy: [] }),
    ])
    const done = JSON.parse(said) as Rehearsal
    host.must(['ip', 'link', 'delete', 'other9'])
    assert.ok(
      done.kind === 'not rehearsed' && done.because.startsWith('the rules of nftables cannot be loaded there: '),
    )
    assert.deepEqual(done.scenes, [])
  })
})
