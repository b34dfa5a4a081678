/** FORCE_NAT, FORCE_*, FORWARD_ALL and DISABLE_DNAT in all combinations: what each kind of request opens. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { describeOpening } from '../../access/grant.ts'
import { chooseOpenings } from '../../access/openings.ts'
import type { Policy } from '../../access/policy.ts'
import type { NatTargetRule, Stanza } from '../../access/stanza.ts'
import { transitTargets } from '../../access/transit.ts'
import type { IpAddress } from '../../packet/address.ts'
import { type Port, port } from '../../units.ts'
import { filesFromSnapshot } from '../reading/config-files.ts'
import { parseAccessConf } from './parse-access-conf.ts'

type Message = Parameters<typeof chooseOpenings>[2]
const C1 = '192.0.2.7' as IpAddress
const common = { source: 'packet-source', username: 'alice', timestamp: 0 } as const
const ports = [{ protocol: 'tcp', port: port(443) }] as const
const access = { ...common, kind: 'access', ports } as unknown as Message
const nat = { ...common, kind: 'natAccess', ports, target: { host: '10.0.0.9', port: port(80) } } as unknown as Message
const local = { ...common, kind: 'localNatAccess', ports, localPort: port(22) } as unknown as Message

function stanzaWith(lines: readonly string[]): Stanza {
  const text = ['SOURCE ANY', 'KEY secret', 'HMAC_KEY other', ...lines].join('\n')
  const parsed = parseAccessConf('/a', filesFromSnapshot({ texts: { '/a': text }, folders: {}, failures: {} }))
  assert.ok(parsed.ok, JSON.stringify(parsed))
  const [stanza] = parsed.value.stanzas
  assert.ok(stanza)
  return stanza
}

const policy: Pick<Policy, 'nat'> = {
  nat: { forward: true, local: true, translation: 'none', resolveNames: false },
}

/** What the request opens, or the code of the refusal. */
function opened(
  lines: readonly string[],
  message: Message,
  translation: Policy['nat']['translation'] = 'none',
): string {
  const asked = { nat: { ...policy.nat, translation } } as Policy
  const chosen = chooseOpenings(asked, stanzaWith(lines), message, C1, { ownAddresses: new Set() })
  return chosen.ok ? chosen.value.map(describeOpening).join(' ') : chosen.failure.code
}

test('every port of this host leads to a host only if NAT_TARGETS has every port there', () => {
  for (const [targets, answer] of [
    ['10.0.0.9:1, 10.0.0.9:80, 10.0.0.9:65535', 'ACCESS_NAT_TARGET_DENIED'],
    ['10.0.0.9:1-79, 10.0.0.0/8:80-90, 10.0.0.9:92-65535', 'ACCESS_NAT_TARGET_DENIED'],
    ['10.0.0.9:81-65535, 10.0.0.8:1-65535, 10.0.0.9:1-80', undefined],
    ['10.0.0.0/24', undefined],
  ] as const) {
    const got = opened(['FORWARD_ALL Y', `NAT_TARGETS ${targets}`], nat)
    if (answer === undefined) assert.match(got, / all→10\.0\.0\.9$/, targets)
    else assert.equal(got, answer, targets)
  }
})

test('a ghost has the address that the client named, only where its packet came to it and the back-end wants it', () => {
  const message = { ...local, host: '192.0.2.1' } as unknown as Message
  const [here, elsewhere, other] = ['192.0.2.1', '198.51.100.1', '2001:db8::1'] as unknown as readonly IpAddress[]
  const named = (to: IpAddress | undefined, namesGhosts: boolean, asked = message) => {
    const known = { ...(to !== undefined && { packetDestination: to }) }
    const wanting = { nat: { ...policy.nat, ...(namesGhosts && { namesGhosts: true }) } } as Policy
    const chosen = chooseOpenings(wanting, stanzaWith([]), asked, C1, known)
    assert.ok(chosen.ok)
    const [opening] = chosen.value
    assert.equal(opening?.kind, 'ghost')
    return opening.named
  }
  assert.equal(named(here, true), here)
  assert.equal(named(here, false), undefined)
  assert.equal(named(elsewhere, true), undefined)
  assert.equal(named(undefined, true), undefined)
  assert.equal(named(other, true, { ...local, host: '2001:db8::1' } as unknown as Message), undefined)
  assert.equal(named(here, true, { ...local, host: 'host.example' } as unknown as Message), undefined)
})

const FORCED = 'FORCE_NAT 10.0.0.5 22'
/** settings → what is opened by an access request, a request for 10.0.0.9:80, and one for a ghost of port 22 */
const table: readonly (readonly [lines: readonly string[], access: string, nat: string, local: string])[] = [
  [[], 'tcp/443', 'tcp/443→10.0.0.9:80', 'tcp/443→22'],
  [['DISABLE_DNAT Y'], 'tcp/443', 'through→10.0.0.9:80/tcp', 'tcp/22'],
  [[FORCED], 'tcp/443→10.0.0.5:22', 'tcp/443→10.0.0.5:22', 'tcp/443→10.0.0.5:22'],
  [
    [FORCED, 'FORCE_SNAT 10.0.0.1'],
    'tcp/443→10.0.0.5:22~10.0.0.1',
    'tcp/443→10.0.0.5:22~10.0.0.1',
    'tcp/443→10.0.0.5:22~10.0.0.1',
  ],
  [
    [FORCED, 'FORCE_MASQUERADE Y'],
    'tcp/443→10.0.0.5:22~masquerade',
    'tcp/443→10.0.0.5:22~masquerade',
    'tcp/443→10.0.0.5:22~masquerade',
  ],
  [[FORCED, 'DISABLE_DNAT Y'], 'through→10.0.0.5:22/tcp', 'through→10.0.0.5:22/tcp', 'through→10.0.0.5:22/tcp'],
  [
    [FORCED, 'DISABLE_DNAT Y', 'FORCE_MASQUERADE Y'],
    'through→10.0.0.5:22/tcp~masquerade',
    'through→10.0.0.5:22/tcp~masquerade',
    'through→10.0.0.5:22/tcp~masquerade',
  ],
  [['FORWARD_ALL Y'], 'tcp/443', 'through→anywhere all→10.0.0.9', 'tcp/443→22'],
  [['FORWARD_ALL Y', 'DISABLE_DNAT Y'], 'tcp/443', 'through→anywhere', 'tcp/22'],
  [
    ['FORWARD_ALL Y', 'FORCE_MASQUERADE Y', 'DISABLE_DNAT Y'],
    'through→anywhere~masquerade',
    'through→anywhere~masquerade',
    'tcp/22',
  ],
  // fwknop sends all to 0.0.0.0.
  [
    ['FORWARD_ALL Y', 'FORCE_SNAT 10.0.0.1'],
    'through→anywhere~10.0.0.1',
    'through→anywhere~10.0.0.1 all→10.0.0.9~10.0.0.1',
    'tcp/443→22',
  ],
  [
    [FORCED, 'FORWARD_ALL Y'],
    'through→anywhere all→10.0.0.5',
    'through→anywhere all→10.0.0.5',
    'through→anywhere all→10.0.0.5',
  ],
  [[FORCED, 'FORWARD_ALL Y', 'DISABLE_DNAT Y'], 'through→anywhere', 'through→anywhere', 'through→anywhere'],
  [
    [FORCED, 'FORWARD_ALL Y', 'NAT_TARGETS 10.0.0.0/24:80, local:22'],
    'through→10.0.0.0/24:80 all→10.0.0.5',
    'through→10.0.0.0/24:80 all→10.0.0.5',
    'through→10.0.0.0/24:80 all→10.0.0.5',
  ],
  [['FORWARD_ALL Y', 'NAT_TARGETS 10.0.0.0/24:80'], 'tcp/443', 'ACCESS_NAT_TARGET_DENIED', 'ACCESS_NAT_TARGET_DENIED'],
  [
    ['FORWARD_ALL Y', 'NAT_TARGETS 10.0.0.9, 10.1.0.0/16:22'],
    'tcp/443',
    'through→10.1.0.0/16:22+10.0.0.9 all→10.0.0.9',
    'ACCESS_NAT_TARGET_DENIED',
  ],
  [
    ['FORWARD_ALL Y', 'FORCE_MASQUERADE Y', 'NAT_TARGETS [2001:db8::]/64'],
    'ACCESS_NAT_TARGET_DENIED',
    'ACCESS_NAT_TARGET_DENIED',
    'ACCESS_NAT_TARGET_DENIED',
  ],
  [['FORCE_NAT 127.0.0.1 22'], 'tcp/443→22', 'tcp/443→22', 'tcp/443→22'],
  [['FORCE_NAT 127.0.0.1 22', 'DISABLE_DNAT Y'], 'tcp/22', 'tcp/22', 'tcp/22'],
  [
    ['FORCE_NAT 127.0.0.1 22', 'FORWARD_ALL Y'],
    'through→anywhere tcp/443→22',
    'through→anywhere tcp/443→22',
    'through→anywhere tcp/443→22',
  ],
]

for (const [lines, byAccess, byNat, byLocal] of table)
  test(`${lines.join(', ') || 'nothing'}: what each request opens`, () => {
    assert.deepEqual(
      [access, nat, local].map((message) => opened(lines, message)),
      [byAccess, byNat, byLocal],
    )
  })

test('what the inner host sees: the setting of the stanza comes before that of the server', () => {
  const gateway = ['FORWARD_ALL Y', 'DISABLE_DNAT Y']
  assert.equal(opened(gateway, nat, 'masquerade'), 'through→anywhere~masquerade')
  assert.equal(opened(gateway, nat, { snat: '10.0.0.2' as IpAddress }), 'through→anywhere~10.0.0.2')
  const forced = [...gateway, 'FORCE_SNAT 10.0.0.1']
  assert.equal(opened(forced, nat, { snat: '10.0.0.2' as IpAddress }), 'through→anywhere~10.0.0.1')
})

test('targets for a set of the kernel allow what NAT_TARGETS allows, and no two have a packet in common', () => {
  const rule = fc.record({
    where: fc.nat({ max: 255 }),
    length: fc.integer({ min: 24, max: 32 }),
    one: fc.nat({ max: 9 }),
    other: fc.nat({ max: 9 }),
  })
  const rules = fc.array(rule, { maxLength: 6 }).map((list) =>
    list.map(({ where, length, one, other }): NatTargetRule => {
      const size = 2 ** (32 - length)
      const prefix = `10.0.0.${where - (where % size)}` as IpAddress
      const [first, last] = [Math.min(one, other) + 1, Math.max(one, other) + 1]
      return { network: { prefix, length }, ports: { first: first as Port, last: last as Port } }
    }),
  )
  const covers = ({ network, ports }: NatTargetRule, host: number, at: number): boolean => {
    const start = Number(network.prefix.split('.')[3])
    return host >= start && host < start + 2 ** (32 - network.length) && ports.first <= at && at <= ports.last
  }
  fc.assert(
    fc.property(
      rules,
      fc.array(fc.tuple(fc.nat({ max: 255 }), fc.integer({ min: 1, max: 10 })), { minLength: 20, maxLength: 40 }),
      (list, packets) => {
        const targets = transitTargets(list, 4)
        for (const [host, at] of packets) {
          const matching = targets.filter((target) => covers(target, host, at)).length
          assert.equal(matching, list.some((one) => covers(one, host, at)) ? 1 : 0)
        }
      },
    ),
  )
})
