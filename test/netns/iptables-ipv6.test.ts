/**
 * FIREWALL iptables for clients that come by IPv6: each kind of grant, under each pair of the settings that change its
 * rules, with both variants of ip6tables. The hosts are those of `../support/firewall-lab.ts`. Each grant is tried by
 * connecting, and has to end.
 */

import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Daemon, ghostportCommand, stanza } from '../support/daemon.ts'
import { createLab, type Lab } from '../support/firewall-lab.ts'
import { some } from '../support/in-full.ts'
import { dropByIptables, forgetIptables, type Variant } from '../support/iptables-host.ts'
import { type Host, netnsUnavailable } from '../support/netns.ts'

const [SERVER, ELSEWHERE, SERVER_FOR_C2] = ['fd01::1', 'fd02::1', 'fd02::1']
const [CLIENT, INNER, NEAR] = ['fd01::2', 'fd03::2', 'fd03::1']

/** Settings of the server. */
interface Setting {
  readonly variant: Variant
  readonly output: boolean
  readonly destination: boolean
  readonly prepend: boolean
  /** ENABLE_IPT_SNAT, with SNAT_TRANSLATE_IP or without. */
  readonly snat: 'no' | 'masquerade' | 'address'
}
/** Each pair of values is in one of these. */
const settings: readonly Setting[] = [
  { variant: 'nft', output: false, destination: false, prepend: false, snat: 'no' },
  { variant: 'legacy', output: true, destination: true, prepend: true, snat: 'no' },
  { variant: 'nft', output: true, destination: false, prepend: true, snat: 'masquerade' },
  { variant: 'legacy', output: false, destination: true, prepend: false, snat: 'masquerade' },
  { variant: 'nft', output: true, destination: true, prepend: false, snat: 'address' },
  { variant: 'legacy', output: false, destination: false, prepend: true, snat: 'address' },
]

interface Kind {
  readonly name: string
  readonly stanza: readonly string[]
  readonly knock: readonly string[]
  /** Where it leads, at the server's address unless `at` says otherwise. */
  readonly port: number
  readonly at?: string
  readonly by?: 'c2'
  readonly answer: (setting: Setting) => string
}
const kinds: readonly Kind[] = [
  { name: 'access', stanza: [], knock: ['-A', 'tcp/25'], port: 25, answer: () => 'mail' },
  {
    name: 'ENABLE_IPT_LOCAL_NAT: a ghost service',
    stanza: ['NAT_TARGETS local:22'],
    knock: ['-A', 'tcp/22', '--nat-local', '--nat-port', '81'],
    port: 81,
    answer: () => 'ssh',
  },
  {
    name: 'ENABLE_IPT_FORWARDING: a forward',
    stanza: [`NAT_TARGETS [${INNER}]:8443`],
    knock: ['-A', 'tcp/443', '-N', `[${INNER}]:8443`],
    port: 443,
    answer: ({ snat }) => `inner for ${snat === 'no' ? CLIENT : NEAR}`,
  },
  {
    name: 'FORCE_NAT and FORCE_MASQUERADE',
    stanza: [`FORCE_NAT ${INNER} 22`, 'FORCE_MASQUERADE Y'],
    knock: ['-A', 'tcp/444'],
    port: 444,
    answer: () => `inner 22 for ${NEAR}`,
  },
  {
    name: 'FORCE_NAT and FORCE_SNAT',
    stanza: [`FORCE_NAT ${INNER} 25`, `FORCE_SNAT ${NEAR}`],
    knock: ['-A', 'tcp/445'],
    port: 445,
    answer: () => `inner 25 for ${NEAR}`,
  },
  {
    name: 'FORWARD_ALL, DISABLE_DNAT and FORCE_MASQUERADE',
    stanza: ['FORWARD_ALL Y', 'DISABLE_DNAT Y', 'FORCE_MASQUERADE Y', `NAT_TARGETS ${INNER}/128`],
    knock: ['-A', 'tcp/1'],
    by: 'c2',
    at: INNER,
    port: 8443,
    answer: () => `inner for ${NEAR}`,
  },
]
const keysOf = (kind: Kind) => ({ key: `encryption ${kinds.indexOf(kind)}`, hmac: `hmac ${kinds.indexOf(kind)}` })
const LIFETIME = 3

describe('a client by IPv6, and ip6tables', { skip: netnsUnavailable() }, () => {
  let lab: Lab
  let daemon: Daemon | undefined
  afterEach(async () => {
    await daemon?.stop('SIGKILL')
    daemon = undefined
  })
  before(async () => {
    lab = await createLab()
    // One client cannot have two translations to the same port of the same host.
    await lab.inner.listen([22, 25].map((port) => ({ protocol: 'tcp', port, banner: `inner ${port} for %peer` })))
  })
  after(() => lab?.[Symbol.asyncDispose]())

  const start = (setting: Setting): Promise<Daemon> => {
    const { variant } = setting
    forgetIptables(lab.server)
    dropByIptables(lab.server, variant)
    // Answers leave only by the rule of the grant.
    const ip6tables = (...words: readonly string[]) => lab.server.must([`ip6tables-${variant}`, ...words])
    ip6tables('-P', 'OUTPUT', setting.output ? 'DROP' : 'ACCEPT')
    ip6tables('-A', 'OUTPUT', '-p', 'ipv6-icmp', '-j', 'ACCEPT')
    const yes = (name: string, on: boolean): string => `${name} ${on ? 'Y' : 'N'}`
    return Daemon.start(lab.net, lab.server, {
      server: [
        ...['FIREWALL iptables', `FIREWALL_EXE /usr/sbin/iptables-${variant}`],
        ...['ENABLE_IPT_LOCAL_NAT Y', 'ENABLE_IPT_FORWARDING Y'],
        yes('ENABLE_IPT_OUTPUT', setting.output),
        yes('ENABLE_DESTINATION_RULE', setting.destination),
        yes('ENABLE_RULE_PREPEND', setting.prepend),
        yes('ENABLE_IPT_SNAT', setting.snat !== 'no'),
        ...(setting.snat === 'address' ? [`SNAT_TRANSLATE_IP ${NEAR}`] : []),
      ],
      access: kinds.map((kind) => stanza([`FW_ACCESS_TIMEOUT ${LIFETIME}`, ...kind.stanza], keysOf(kind))).join('\n'),
    })
  }
  const from = ({ by }: Kind): Host => (by === 'c2' ? lab.c2 : lab.c1)
  const target = (kind: Kind, address = kind.at ?? SERVER) =>
    ({ protocol: 'tcp', address, port: kind.port, timeoutMs: 300 }) as const
  const tried = (kind: Kind, at = kind.at ?? SERVER): Promise<string> =>
    from(kind).tcp(at, kind.port, { timeoutMs: 300 })

  for (const setting of some(settings, 3)) {
    const { variant, output, destination, prepend, snat } = setting
    const rules = (chain = ''): readonly string[] =>
      lab.server
        .must([`ip6tables-${variant}-save`])
        .split('\n')
        .filter((line) => line.startsWith(`-A ${chain}`) && line.includes('_exp_'))
    const on = [output && 'OUTPUT', destination && 'DESTINATION_RULE', prepend && 'RULE_PREPEND'].filter(Boolean)
    it(`${[`ip6tables-${variant}`, ...on, `SNAT ${snat}`].join(', ')}: each kind of grant opens, and ends`, async () => {
      const running = await start(setting)
      daemon = running
      assert.deepEqual(
        await Promise.all(kinds.map((kind) => tried(kind))),
        kinds.map(() => 'timeout'),
      )
      for (const [i, kind] of kinds.entries()) {
        const { key, hmac } = keysOf(kind)
        const secrets = ['--key-rijndael', key, '--key-hmac', hmac]
        const to = kind.by === 'c2' ? SERVER_FOR_C2 : SERVER
        const words = ['knock', '--no-rc-file', '-D', to, ...secrets, '-s', ...kind.knock]
        const verdict = await running.verdictAfter(() => from(kind).must(ghostportCommand(...words)))
        assert.equal(verdict.verdict, 'granted', `${kind.name}: ${JSON.stringify(verdict)}`)
        if (i === 1) {
          const inputs = rules('FWKNOP_INPUT')
          assert.deepEqual(
            inputs.map((line) => line.includes('--dport 25 ')),
            prepend ? [false, true] : [true, false],
          )
          assert.equal(rules('FWKNOP_OUTPUT').length, output ? 2 : 0)
        }
        const answer = kind.answer(setting)
        await from(kind).until(answer, target(kind))
        // What leads through this host is at no address of its own.
        if (kind.at !== undefined) continue
        if (destination) assert.equal(await tried(kind, ELSEWHERE), 'timeout', kind.name)
        else await from(kind).until(answer, target(kind, ELSEWHERE))
      }
      for (const kind of kinds) await from(kind).until('timeout', target(kind))
      // The kernel ends a rule by itself; ghostport removes it.
      for (let n = 0; n < 60 && rules().length > 0; n++) await delay(50)
      assert.deepEqual(rules(), [])
      assert.deepEqual(running.status().grants, [])
    })
  }
})
