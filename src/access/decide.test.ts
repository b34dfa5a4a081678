import assert from 'node:assert/strict'
import { test } from 'node:test'
import { grantAction } from '../../test/support/granted.ts'
import { must } from '../../test/support/results.ts'
import { parseAddress, parseNetwork } from '../packet/address.ts'
import { EncryptionKey } from '../packet/key.ts'
import type { AccessMessage, LocalNatMessage, Message, NatAccessMessage, Username } from '../packet/message.ts'
import { parseProtocolPorts } from '../packet/protocol-port.ts'
import { port, seconds, unixSeconds } from '../units.ts'
import { decide, type Request } from './decide.ts'
import type { Policy } from './policy.ts'
import type { NatTargetRule, Stanza, StanzaId } from './stanza.ts'

const NOW = unixSeconds(1_800_000_000)

const ip = (text: string) => must(parseAddress(text))
const net = (text: string) => must(parseNetwork(text))
const ports = (text: string) => must(parseProtocolPorts(text))
const network = (text: string, length: number) => ({ prefix: ip(text), length })

const openStanza: Stanza = {
  id: 1 as StanzaId,
  location: { file: 'access.conf', line: 1 },
  sources: 'any',
  destinations: 'any',
  encryption: { kind: 'symmetric', key: must(EncryptionKey.fromBytes(Uint8Array.of(1))), mode: 'CBC' },
  restrictPorts: [],
  timeout: seconds(30),
  maxTimeout: seconds(300),
  requireSourceAddress: false,
  requirePacketSource: false,
}
const openPolicy: Policy = {
  stanzas: [],
  maxAge: seconds(120),
  refuseReplays: true,
  http: 'off',
  nat: { forward: true, local: true, translation: 'none', resolveNames: true },
}

const header = {
  random: '0123456789012345',
  username: 'alice' as Username,
  timestamp: NOW,
  version: '3.0.0',
  source: ip('10.1.2.3'),
}
const access = (asked = 'tcp/22'): AccessMessage => ({ kind: 'access', ...header, ports: ports(asked) })
const forward = (host: NatAccessMessage['target']['host'], inner = 22): NatAccessMessage => ({
  kind: 'natAccess',
  ...header,
  ports: ports('tcp/55000'),
  target: { host, port: port(inner) },
})
const ghost = (asked = 'tcp/80', local = 22): LocalNatMessage => ({
  kind: 'localNatAccess',
  ...header,
  ports: ports(asked),
  localPort: port(local),
  host: '192.0.2.1',
})
const command: Message = { kind: 'command', ...header, command: 'id' }
const onlyTargets = (...natTargets: NatTargetRule[]) => ({ natTargets })
const rule = (text: string, length: number, first: number, last = first): NatTargetRule => ({
  network: network(text, length),
  ports: { first: port(first), last: port(last) },
})

test('a grant is first-hand where the packet came from the address that it is for', () => {
  const behindProxy = { http: { anyUserAgent: false, trustForwardedFor: true } } as const
  const cases: [Omit<Case, 'what'>, boolean][] = [
    [{}, false],
    [{ request: { packetSource: ip('10.1.2.3') } }, true],
    [{ message: { ...access(), source: 'packet-source' } }, true],
    [{ request: { forwardedFor: ip('10.1.2.3') } }, false],
    [{ request: { forwardedFor: ip('10.1.2.3') }, policy: behindProxy }, true],
    [{ request: { packetSource: ip('10.1.2.3'), forwardedFor: ip('10.1.2.4') }, policy: behindProxy }, false],
  ]
  for (const [asked, firstHand] of cases) {
    const verdict = ask({ what: '', ...asked })
    assert(grantAction(verdict).grant.firstHand === firstHand, JSON.stringify(asked))
  }
})

interface Case {
  readonly what: string
  readonly message?: Message
  readonly stanza?: Partial<Stanza>
  readonly policy?: Partial<Policy>
  readonly nat?: Partial<Policy['nat']>
  readonly request?: Partial<Request>
}

function ask({ message = access(), stanza = {}, policy = {}, nat = {}, request = {} }: Case) {
  const asked: Request = { message, packetSource: ip('192.0.2.9'), packetDestination: ip('192.0.2.1'), ...request }
  const rules = { ...openPolicy, ...policy, nat: { ...openPolicy.nat, ...nat } }
  return decide(rules, [{ ...openStanza, ...stanza }], asked, NOW)
}

const granted: (Case & { id: string })[] = [
  { what: 'a port', id: '10.1.2.3>tcp/22' },
  { what: 'several ports', message: access('tcp/22,udp/53'), id: '10.1.2.3>tcp/22,udp/53' },
  { what: 'the address of the packet', message: { ...access(), source: 'packet-source' }, id: '192.0.2.9>tcp/22' },
  {
    what: 'a packet that would be too old for a gateway, from elsewhere',
    message: { ...access(), timestamp: unixSeconds(NOW - 31) },
    policy: { gateways: { networks: [net('192.0.2.10')], maxAge: seconds(30) } },
    id: '10.1.2.3>tcp/22',
  },
  {
    what: 'a packet through a gateway',
    message: { ...access(), timestamp: unixSeconds(NOW - 30) },
    policy: { gateways: { networks: [net('192.0.2.9')], maxAge: seconds(30) } },
    id: '10.1.2.3>tcp/22',
  },
  { what: 'a port among OPEN_PORTS', stanza: { openPorts: ports('udp/53,tcp/22') }, id: '10.1.2.3>tcp/22' },
  { what: 'a port not among RESTRICT_PORTS', stanza: { restrictPorts: ports('udp/22') }, id: '10.1.2.3>tcp/22' },
  { what: 'a stanza in its last second', stanza: { expires: unixSeconds(NOW + 1) }, id: '10.1.2.3>tcp/22' },
  { what: 'the right user', stanza: { requireUsername: 'alice' as Username }, id: '10.1.2.3>tcp/22' },
  { what: 'a named address where one is wanted', stanza: { requireSourceAddress: true }, id: '10.1.2.3>tcp/22' },
  {
    what: 'a named address, which the packet came from',
    stanza: { requirePacketSource: true },
    request: { packetSource: ip('10.1.2.3') },
    id: '10.1.2.3>tcp/22',
  },
  {
    what: 'whatever address the packet came from, where it must be that one',
    message: { ...access(), source: 'packet-source' },
    stanza: { requirePacketSource: true },
    id: '192.0.2.9>tcp/22',
  },
  { what: 'a ghost service', message: ghost(), id: '10.1.2.3>tcp/80→22' },
  { what: 'a ghost on its own port, which is plain access', message: ghost('tcp/22'), id: '10.1.2.3>tcp/22' },
  {
    what: 'a ghost by its public port',
    message: ghost(),
    stanza: { openPorts: ports('tcp/80') },
    id: '10.1.2.3>tcp/80→22',
  },
  {
    what: 'a ghost that NAT_TARGETS allows',
    message: ghost(),
    stanza: onlyTargets(rule('127.0.0.1', 32, 20, 22)),
    id: '10.1.2.3>tcp/80→22',
  },
  { what: 'an inner host', message: forward(ip('10.0.0.5')), id: '10.1.2.3>tcp/55000→10.0.0.5:22' },
  {
    what: 'an inner host by name',
    message: forward({ name: 'inner.example' }),
    request: { resolvedTarget: ip('10.0.0.5') },
    id: '10.1.2.3>tcp/55000→10.0.0.5:22',
  },
  {
    what: 'an inner host that NAT_TARGETS allows',
    message: forward(ip('10.0.0.5')),
    stanza: onlyTargets(rule('10.0.0.0', 24, 1, 65535)),
    id: '10.1.2.3>tcp/55000→10.0.0.5:22',
  },
  {
    what: 'the first port only, where NAT asks for several',
    message: { ...forward(ip('10.0.0.5')), ports: ports('tcp/55000,tcp/55001') },
    id: '10.1.2.3>tcp/55000→10.0.0.5:22',
  },
  {
    what: 'an inner host, masqueraded',
    message: forward(ip('10.0.0.5')),
    nat: { translation: 'masquerade' },
    id: '10.1.2.3>tcp/55000→10.0.0.5:22~masquerade',
  },
  {
    what: 'an inner host by SNAT_TRANSLATE_IP',
    message: forward(ip('10.0.0.5')),
    nat: { translation: { snat: ip('10.0.0.1') } },
    id: '10.1.2.3>tcp/55000→10.0.0.5:22~10.0.0.1',
  },
  {
    what: 'an inner host of the other family than SNAT_TRANSLATE_IP',
    message: { ...forward(ip('fd00::5')), source: ip('2001:db8::9') },
    nat: { translation: { snat: ip('10.0.0.1') } },
    id: '2001:db8::9>tcp/55000→[fd00::5]:22~masquerade',
  },
  {
    what: 'FORCE_NAT for plain access',
    stanza: { forceNat: { address: ip('10.0.0.7'), port: port(2222) } },
    id: '10.1.2.3>tcp/22→10.0.0.7:2222',
  },
  {
    what: 'FORCE_NAT over the target asked for',
    message: forward(ip('10.0.0.5')),
    stanza: { forceNat: { address: ip('10.0.0.7'), port: port(2222) } },
    id: '10.1.2.3>tcp/55000→10.0.0.7:2222',
  },
  {
    what: 'FORCE_NAT, which NAT_TARGETS need not allow',
    stanza: { forceNat: { address: ip('10.0.0.7'), port: port(2222) }, ...onlyTargets() },
    id: '10.1.2.3>tcp/22→10.0.0.7:2222',
  },
  {
    what: 'FORCE_NAT to this host, which is a ghost',
    stanza: { forceNat: { address: ip('127.0.0.1'), port: port(2222) } },
    id: '10.1.2.3>tcp/22→2222',
  },
  {
    what: 'FORCE_NAT to this host, whose addresses take in loopback’s',
    stanza: { forceNat: { address: ip('127.0.0.1'), port: port(2222) } },
    request: { ownAddresses: new Set([ip('127.0.0.1'), ip('192.0.2.1')]) },
    id: '10.1.2.3>tcp/22→2222',
  },
  {
    what: 'FORCE_SNAT before SNAT_TRANSLATE_IP',
    stanza: { forceNat: { address: ip('10.0.0.7'), port: port(22) }, forceTranslation: { snat: ip('10.0.0.2') } },
    nat: { translation: { snat: ip('10.0.0.1') } },
    id: '10.1.2.3>tcp/22→10.0.0.7:22~10.0.0.2',
  },
  {
    what: 'FORCE_MASQUERADE before SNAT_TRANSLATE_IP',
    stanza: { forceNat: { address: ip('10.0.0.7'), port: port(22) }, forceTranslation: 'masquerade' },
    nat: { translation: { snat: ip('10.0.0.1') } },
    id: '10.1.2.3>tcp/22→10.0.0.7:22~masquerade',
  },
  {
    what: 'loopback, from an address that this host itself claims by lo',
    message: { ...access(), source: ip('127.0.0.1') },
    request: { packetSource: ip('192.0.2.9'), mayNameLoopback: true },
    id: '127.0.0.1>tcp/22',
  },
  {
    what: 'loopback, from loopback',
    message: { ...access(), source: ip('127.0.0.1') },
    request: { packetSource: ip('127.0.0.1') },
    id: '127.0.0.1>tcp/22',
  },
  {
    what: 'another address, from a link-local one',
    message: { ...access(), source: ip('2001:db8::9') },
    request: { packetSource: ip('fe80::c') },
    id: '2001:db8::9>tcp/22',
  },
  {
    what: 'X-Forwarded-For where it is trusted',
    message: { ...access(), source: 'packet-source' },
    policy: { http: { anyUserAgent: false, trustForwardedFor: true } },
    request: { forwardedFor: ip('198.51.100.1') },
    id: '198.51.100.1>tcp/22',
  },
  {
    what: 'X-Forwarded-For of a named proxy',
    message: { ...access(), source: 'packet-source' },
    policy: { http: { anyUserAgent: false, trustForwardedFor: true, proxies: [net('192.0.2.0/24')] } },
    request: { forwardedFor: ip('198.51.100.1') },
    id: '198.51.100.1>tcp/22',
  },
  {
    what: 'not X-Forwarded-For of anybody else',
    message: { ...access(), source: 'packet-source' },
    policy: { http: { anyUserAgent: false, trustForwardedFor: true, proxies: [net('203.0.113.7')] } },
    request: { forwardedFor: ip('198.51.100.1') },
    id: '192.0.2.9>tcp/22',
  },
  {
    what: 'not X-Forwarded-For where it is not',
    message: { ...access(), source: 'packet-source' },
    policy: { http: { anyUserAgent: false, trustForwardedFor: false } },
    request: { forwardedFor: ip('198.51.100.1') },
    id: '192.0.2.9>tcp/22',
  },
  {
    what: 'not X-Forwarded-For where the packet names an address',
    policy: { http: { anyUserAgent: false, trustForwardedFor: true } },
    request: { forwardedFor: ip('198.51.100.1') },
    id: '10.1.2.3>tcp/22',
  },
  {
    what: 'a packet at either end of the age window',
    message: { ...access(), timestamp: unixSeconds(NOW - 120) },
    id: '10.1.2.3>tcp/22',
  },
  {
    what: 'a packet of any age where there is no window',
    message: { ...access(), timestamp: unixSeconds(0) },
    policy: { maxAge: 'unlimited' },
    id: '10.1.2.3>tcp/22',
  },
]
for (const { id, ...given } of granted) {
  test(`granted: ${given.what}`, () => {
    const verdict = ask(given)
    assert(verdict.granted, JSON.stringify(verdict))
    assert.equal(grantAction(verdict).grant.id, id)
  })
}

const refused: (Case & { code: string })[] = [
  {
    what: 'a link-local address that the packet came from',
    message: { ...access(), source: 'packet-source' },
    request: { packetSource: ip('fe80::c') },
    code: 'ACCESS_SOURCE_UNUSABLE',
  },
  {
    what: 'an IPv4 link-local address that the packet came from',
    message: { ...access(), source: 'packet-source' },
    request: { packetSource: ip('169.254.7.7') },
    code: 'ACCESS_SOURCE_UNUSABLE',
  },
  {
    what: 'a link-local address that the packet names and came from',
    message: { ...access(), source: ip('fe80::c') },
    stanza: { requirePacketSource: true },
    request: { packetSource: ip('fe80::c') },
    code: 'ACCESS_SOURCE_UNUSABLE',
  },
  {
    what: 'an IPv4 link-local address by name',
    message: { ...access(), source: ip('169.254.7.7') },
    code: 'ACCESS_SOURCE_UNUSABLE',
  },
  {
    what: 'a link-local address by a header',
    message: { ...access(), source: 'packet-source' },
    policy: { http: { anyUserAgent: false, trustForwardedFor: true } },
    request: { forwardedFor: ip('169.254.7.7') },
    code: 'ACCESS_SOURCE_UNUSABLE',
  },
  {
    what: 'loopback by name, from elsewhere',
    message: { ...access(), source: ip('127.0.0.1') },
    code: 'ACCESS_SOURCE_UNUSABLE',
  },
  {
    what: 'where it came from, which is no host',
    message: { ...access(), source: 'packet-source' },
    request: { packetSource: ip('0.0.0.0') },
    code: 'ACCESS_SOURCE_UNUSABLE',
  },
  {
    what: 'a forward to the metadata of a cloud',
    message: forward(ip('169.254.169.254')),
    code: 'ACCESS_NAT_TARGET_INVALID',
  },
  {
    what: 'a source that the stanza is not for',
    stanza: { sources: [network('10.0.0.0', 8)] },
    code: 'ACCESS_NO_SOURCE',
  },
  {
    what: 'another destination',
    stanza: { destinations: [network('192.0.2.2', 32)] },
    code: 'ACCESS_DESTINATION_DENIED',
  },
  { what: 'a stanza at its end', stanza: { expires: NOW }, code: 'ACCESS_EXPIRED' },
  {
    what: 'no named address where one is wanted',
    message: { ...access(), source: 'packet-source' },
    stanza: { requireSourceAddress: true },
    code: 'ACCESS_SOURCE_REQUIRED',
  },
  {
    what: 'no named address, through a gateway',
    message: { ...access(), source: 'packet-source' },
    policy: { gateways: { networks: [net('192.0.2.0/24')], maxAge: seconds(30) } },
    code: 'ACCESS_GATEWAY_SOURCE',
  },
  {
    what: 'a command for no named address, through a gateway',
    message: { ...command, source: 'packet-source' },
    policy: { gateways: { networks: [net('192.0.2.9')], maxAge: seconds(30) } },
    code: 'ACCESS_GATEWAY_SOURCE',
  },
  {
    what: 'a packet that is too old for a gateway',
    message: { ...access(), timestamp: unixSeconds(NOW - 31) },
    policy: { gateways: { networks: [net('192.0.2.9')], maxAge: seconds(30) } },
    code: 'SPA_STALE',
  },
  {
    what: 'the user in another case',
    stanza: { requireUsername: 'Alice' as Username },
    code: 'ACCESS_USERNAME_DENIED',
  },
  { what: 'a command', message: command, code: 'ACCESS_COMMAND_DENIED' },
  { what: 'a port that is not open to asking', stanza: { openPorts: ports('tcp/23') }, code: 'ACCESS_PORT_DENIED' },
  { what: 'the same port of another protocol', stanza: { openPorts: ports('udp/22') }, code: 'ACCESS_PORT_DENIED' },
  {
    what: 'one port too many',
    message: access('tcp/22,tcp/23'),
    stanza: { openPorts: ports('tcp/22') },
    code: 'ACCESS_PORT_DENIED',
  },
  {
    what: 'a restricted port',
    message: access('udp/53,tcp/22'),
    stanza: { restrictPorts: ports('tcp/22') },
    code: 'ACCESS_PORT_DENIED',
  },
  {
    what: 'a port both open and restricted',
    stanza: { openPorts: ports('tcp/22'), restrictPorts: ports('tcp/22') },
    code: 'ACCESS_PORT_DENIED',
  },
  {
    what: 'a ghost by its inner port',
    message: ghost(),
    stanza: { openPorts: ports('tcp/22') },
    code: 'ACCESS_PORT_DENIED',
  },
  { what: 'a ghost where there are none', message: ghost(), nat: { local: false }, code: 'ACCESS_NAT_DISABLED' },
  {
    what: 'an inner host where there is no forwarding',
    message: forward(ip('10.0.0.5')),
    nat: { forward: false },
    code: 'ACCESS_NAT_DISABLED',
  },
  {
    what: 'a ghost that NAT_TARGETS does not allow',
    message: ghost('tcp/80', 3306),
    stanza: onlyTargets(rule('127.0.0.1', 32, 22)),
    code: 'ACCESS_NAT_TARGET_DENIED',
  },
  {
    what: 'a ghost where NAT_TARGETS has inner hosts only',
    message: ghost(),
    stanza: onlyTargets(rule('10.0.0.0', 8, 22)),
    code: 'ACCESS_NAT_TARGET_DENIED',
  },
  {
    what: 'an inner port that NAT_TARGETS does not allow',
    message: forward(ip('10.0.0.5'), 3306),
    stanza: onlyTargets(rule('10.0.0.0', 24, 22, 23)),
    code: 'ACCESS_NAT_TARGET_DENIED',
  },
  {
    what: 'an inner host that NAT_TARGETS does not allow',
    message: forward(ip('10.0.1.5')),
    stanza: onlyTargets(rule('10.0.0.0', 24, 22)),
    code: 'ACCESS_NAT_TARGET_DENIED',
  },
  {
    what: 'a name that leads where NAT_TARGETS does not',
    message: forward({ name: 'inner.example' }),
    request: { resolvedTarget: ip('10.0.1.5') },
    stanza: onlyTargets(rule('10.0.0.0', 24, 22)),
    code: 'ACCESS_NAT_TARGET_DENIED',
  },
  { what: 'a forward to this host', message: forward(ip('127.0.0.1')), code: 'ACCESS_NAT_TARGET_INVALID' },
  {
    what: 'an address that the packet did not come from',
    stanza: { requirePacketSource: true },
    code: 'ACCESS_SOURCE_MISMATCH',
  },
  {
    what: 'an address by a header that nobody trusts',
    stanza: { requirePacketSource: true },
    request: { forwardedFor: ip('10.1.2.3') },
    code: 'ACCESS_SOURCE_MISMATCH',
  },
  {
    what: 'a forward to this host by an address of its own',
    message: forward(ip('192.0.2.1'), 3306),
    request: { ownAddresses: new Set([ip('192.0.2.1')]) },
    nat: { local: false },
    code: 'ACCESS_NAT_TARGET_INVALID',
  },
  {
    what: 'FORCE_NAT to an address of this host',
    stanza: { forceNat: { address: ip('192.0.2.1'), port: port(22) } },
    request: { ownAddresses: new Set([ip('192.0.2.1')]) },
    code: 'ACCESS_NAT_TARGET_INVALID',
  },
  { what: 'a forward to nowhere', message: forward(ip('0.0.0.0')), code: 'ACCESS_NAT_TARGET_INVALID' },
  { what: 'a forward to everybody', message: forward(ip('255.255.255.255')), code: 'ACCESS_NAT_TARGET_INVALID' },
  {
    what: 'a forward to a group',
    message: { ...forward(ip('ff02::1')), source: ip('2001:db8::9') },
    code: 'ACCESS_NAT_TARGET_INVALID',
  },
  {
    what: 'a forward to a link',
    message: { ...forward(ip('fe80::1')), source: ip('2001:db8::9') },
    code: 'ACCESS_NAT_TARGET_INVALID',
  },
  { what: 'a forward between families', message: forward(ip('fd00::5')), code: 'ACCESS_NAT_TARGET_INVALID' },
  {
    what: 'FORCE_NAT between families',
    message: { ...access(), source: ip('2001:db8::9') },
    stanza: { forceNat: { address: ip('10.0.0.7'), port: port(22) } },
    code: 'ACCESS_NAT_TARGET_INVALID',
  },
  {
    what: 'a name that could not be resolved',
    message: forward({ name: 'inner.example' }),
    request: { resolvedTarget: { why: 'nobody knows it' } },
    code: 'ACCESS_NAT_TARGET_INVALID',
  },
  {
    what: 'a name that nobody has looked up',
    message: forward({ name: 'inner.example' }),
    code: 'NAME_NOT_LOOKED_UP',
  },
  {
    what: 'a name where there are none',
    message: forward({ name: 'inner.example' }),
    nat: { resolveNames: false },
    request: { resolvedTarget: ip('10.0.0.5') },
    code: 'ACCESS_NAT_TARGET_INVALID',
  },
  { what: 'a packet a second too old', message: { ...access(), timestamp: unixSeconds(NOW - 121) }, code: 'SPA_STALE' },
  {
    what: 'a packet a second too new',
    message: { ...access(), timestamp: unixSeconds(NOW + 121) },
    code: 'SPA_FROM_FUTURE',
  },
]
for (const { code, ...given } of refused) {
  test(`refused: ${given.what}: ${code}`, () => {
    const verdict = ask(given)
    assert(!verdict.granted)
    assert.equal(verdict.failure.code, code, verdict.failure.detail)
  })
}

test('where the destination is not known, a stanza for one destination is for none', () => {
  const request: Request = { message: access(), packetSource: ip('192.0.2.9') }
  const stanza = { ...openStanza, destinations: [network('0.0.0.0', 0)] }
  const verdict = decide(openPolicy, [stanza], request, NOW)
  assert(!verdict.granted && verdict.failure.code === 'ACCESS_DESTINATION_DENIED')
})

const lifetimes: [asked: number | undefined, lasts: number][] = [
  [undefined, 30],
  [0, 30],
  [1, 1],
  [300, 300],
  [65_536, 300],
]
for (const [asked, lasts] of lifetimes) {
  test(`asked for ${asked ?? 'no'} seconds, a grant lasts ${lasts}`, () => {
    const verdict = ask({
      what: '',
      message: { ...access(), ...(asked === undefined ? {} : { timeout: seconds(asked) }) },
    })
    assert(verdict.granted)
    assert.equal(grantAction(verdict).grant.lifetime, lasts)
  })
}

test('clocks that are too far apart are both told, whatever the stanza', () => {
  const verdict = ask({ what: '', message: { ...access(), timestamp: unixSeconds(NOW - 14_400) } })
  assert(!verdict.granted)
  assert.deepEqual(verdict.clocks, { packet: NOW - 14_400, server: NOW })
  assert.match(verdict.failure.detail, /14400 s ago.*2027-01-15T04:00:00Z.*2027-01-15T08:00:00Z/)
})

const request: Request = { message: access(), packetSource: ip('192.0.2.9') }
const numbered = (id: number, change: Partial<Stanza>): Stanza => ({ ...openStanza, ...change, id: id as StanzaId })

test('if a stanza denies, the next is asked, and the first that grants wins', () => {
  const verdict = decide(
    openPolicy,
    [
      numbered(1, { openPorts: ports('tcp/443') }),
      numbered(2, { timeout: seconds(60) }),
      numbered(3, { timeout: seconds(90) }),
    ],
    request,
    NOW,
  )
  assert(verdict.granted)
  assert.deepEqual([verdict.stanza, grantAction(verdict).grant.stanza, grantAction(verdict).grant.lifetime], [2, 2, 60])
  assert.deepEqual(
    verdict.denials.map(({ stanza, failure }) => [stanza, failure.code]),
    [[1, 'ACCESS_PORT_DENIED']],
  )
})

test('a stanza that misses only the address of a name is the last that is asked', () => {
  const forced = numbered(3, { forceNat: { address: ip('10.0.0.7'), port: port(22) } })
  const stanzas = [numbered(1, { openPorts: ports('tcp/443') }), numbered(2, {}), forced]
  const named: Request = { message: forward({ name: 'inner.example' }), packetSource: ip('192.0.2.9') }
  const asks = decide(openPolicy, stanzas, named, NOW)
  assert(!asks.granted)
  assert.deepEqual([asks.stanza, asks.lookUp], [2, { name: 'inner.example', family: 4 }])
  for (const [resolvedTarget, stanza] of [
    [ip('10.0.0.5'), 2],
    [{ why: 'nobody knows it' }, 3],
  ] as const) {
    const verdict = decide(openPolicy, stanzas, { ...named, resolvedTarget }, NOW)
    assert(verdict.granted && verdict.stanza === stanza)
  }
})

test('where all deny, the one that came closest is told, and all are listed', () => {
  const verdict = decide(
    openPolicy,
    [
      numbered(4, { expires: NOW }),
      numbered(5, { openPorts: ports('tcp/443') }),
      numbered(6, { requireUsername: 'bob' as Username }),
    ],
    request,
    NOW,
  )
  assert(!verdict.granted)
  assert.deepEqual([verdict.stanza, verdict.failure.code], [5, 'ACCESS_PORT_DENIED'])
  assert.deepEqual(
    verdict.denials.map(({ failure }) => failure.code),
    ['ACCESS_EXPIRED', 'ACCESS_PORT_DENIED', 'ACCESS_USERNAME_DENIED'],
  )
})

test('no stanza, no grant', () => {
  const verdict = decide(openPolicy, [], request, NOW)
  assert(!verdict.granted && verdict.failure.code === 'ACCESS_NO_STANZA')
})
