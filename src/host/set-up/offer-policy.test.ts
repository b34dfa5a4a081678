import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DEFAULT_MARK, DEFAULT_TABLE } from '../../config/server/firewall-settings.ts'
import { parseListing } from '../../firewall/host/ruleset.ts'
import type { IpAddress } from '../../packet/address.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { port } from '../../units.ts'
import type { Listening } from '../facts/listening.ts'
import type { ManagerName } from '../facts/managers.ts'
import { known, notKnown } from '../known.ts'
import { describeShutPorts, offerPolicy, type PolicyQuestion } from './offer-policy.ts'

const tcp = (...numbers: number[]) => numbers.map((number): ProtocolPort => ({ protocol: 'tcp', port: port(number) }))
const managed = (...names: ManagerName[]) =>
  known({
    managers: names.map((name) => ({ name, evidence: [`a sign of ${name}`] })),
    legacyTables: [],
    iptables: known('nft' as const),
    nftablesFlushes: known(false),
  })
const listens = (protocol: 'tcp' | 'udp', number: number, name: string, address = '0.0.0.0'): Listening => ({
  ...{ protocol, family: 4, address: address as IpAddress, port: port(number) },
  programs: known([{ pid: 1, name }]),
})

const question: PolicyQuestion = {
  wished: true,
  allow: [],
  hide: tcp(22),
  mark: DEFAULT_MARK,
  table: DEFAULT_TABLE,
  listened: [],
  managers: managed(),
  tables: [],
  listening: known([
    listens('tcp', 22, 'sshd'),
    listens('tcp', 80, 'nginx'),
    listens('tcp', 80, 'nginx', '::'),
    listens('tcp', 5432, 'postgres', '127.0.0.1'),
    listens('udp', 53, 'named'),
    listens('udp', 68, 'dhclient'),
  ]),
  session: known({ kind: 'local' }),
  sshPorts: known([port(22)]),
  fits: { forward: 'drop', reversePath: 'strict' },
  there: false,
}
const offer = (more: Partial<PolicyQuestion>) => offerPolicy({ ...question, ...more })
const FILTER =
  'table inet filter {\n\tchain input {\n\t\ttype filter hook input priority 0; policy drop;\n\t\ttcp dport 22 accept\n\t}\n}\n'

describe('the policy that init offers', () => {
  for (const [what, more, wanted] of [
    ['where nobody said anything', { wished: undefined }, 'offered'],
    ['where it was asked for', {}, 'planned'],
    ['where it was declined', { wished: false }, 'declined'],
    ['where it is there', { there: true }, 'there'],
    ['beside ufw', { wished: undefined, managers: managed('ufw') }, 'other'],
    ['beside firewalld', { wished: undefined, managers: managed('firewalld') }, 'other'],
    ['beside Docker alone', { wished: undefined, managers: managed('docker') }, 'offered'],
    ['beside rules that drop by default', { wished: undefined, tables: parseListing(FILTER) }, 'other'],
    ['where the managers are not known', { wished: undefined, managers: notKnown('nft hangs') }, 'other'],
  ] as const)
    it(`${what}: ${wanted}`, () => {
      const made = offer(more)
      assert.equal(made.ok ? made.value.kind : made.failure.code, wanted)
    })

  it('says which ports it would shut, with their programs', () => {
    const made = offer({ allow: tcp(443), listened: [{ protocol: 'udp', port: port(53) }] })
    assert.ok(made.ok && made.value.kind === 'planned')
    assert.equal(describeShutPorts(made.value.shuts), 'tcp/80 (nginx)')
    assert.deepEqual(
      made.value.policy.allow.map(({ port: number }) => number),
      [443, 53],
    )
  })

  it('beside ufw, has its commands: the hidden ports are let in there, since the gate shuts them', () => {
    const made = offer({ wished: undefined, managers: managed('ufw') })
    assert.ok(made.ok && made.value.kind === 'other')
    assert.deepEqual(made.value.instead.slice(1), ['ufw allow 22/tcp', 'ufw default deny incoming', 'ufw reload'])
  })

  for (const [what, more, code, cure] of [
    [
      'beside ufw, if it was asked for',
      { managers: managed('ufw') },
      'POLICY_CONFLICT',
      /^ufw allow 22\/tcp; ufw default/,
    ],
    ['for a port that is hidden too', { allow: tcp(22) }, 'VALUE_INVALID', undefined],
    ['if ssh is not among the hidden ports', { hide: tcp(8080) }, 'POLICY_LOCKS_OUT', /^--hide tcp\/8080,tcp\/22$/],
    [
      'if the session comes in by another port',
      {
        session: known({
          kind: 'ssh',
          connection: {
            ...{ peer: '192.0.2.7' as IpAddress, peerPort: port(40_000) },
            ...{ local: '192.0.2.1' as IpAddress, localPort: port(2222) },
          },
          mark: known(undefined),
        }),
      },
      'POLICY_LOCKS_OUT',
      /tcp\/2222$/,
    ],
  ] as const)
    it(`is refused ${what}`, () => {
      const made = offer(more as Partial<PolicyQuestion>)
      assert.ok(!made.ok)
      assert.equal(made.failure.code, code)
      if (cure !== undefined) assert.match(made.failure.suggestion ?? '', cure)
    })

  it('takes ssh that is open to everybody for a way in', () => {
    assert.ok(offer({ hide: tcp(8080), allow: tcp(22) }).ok)
  })
})
