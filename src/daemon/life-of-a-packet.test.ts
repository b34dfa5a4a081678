import assert from 'node:assert/strict'
import { test } from 'node:test'
import { grantAction } from '../../test/support/granted.ts'
import { must } from '../../test/support/results.ts'
import { symmetricKeys } from '../../test/support/symmetric-keys.ts'
import { StanzaIndex } from '../access/matching.ts'
import { OpenerMemory } from '../access/opener-memory.ts'
import type { StanzaId } from '../access/stanza.ts'
import type { Verdict } from '../access/verdict.ts'
import { encodeText } from '../bytes/text.ts'
import type { CapturedPacket } from '../capture/capture.ts'
import { ManualClock } from '../clock.ts'
import { noCommands } from '../commands/commands.ts'
import { buildPolicy } from '../config/access/build-policy.ts'
import { parseAccessConf } from '../config/access/parse-access-conf.ts'
import { filesFromSnapshot } from '../config/reading/config-files.ts'
import { parseFwknopdConf } from '../config/server/parse-fwknopd-conf.ts'
import { createMemoryFirewall } from '../firewall/memory.ts'
import { type IpAddress, parseAddress } from '../packet/address.ts'
import { encodeHttpRequest } from '../packet/http.ts'
import type { Username } from '../packet/message.ts'
import type { OutgoingMessage } from '../packet/message-fields.ts'
import { parseProtocolPorts } from '../packet/protocol-port.ts'
import { sealPacket } from '../packet/seal.ts'
import { memoryReplayStore } from '../replay/memory.ts'
import type { ReplayStore } from '../replay/replay-store.ts'
import { refuse } from '../result.ts'
import { port, seconds, unixSeconds } from '../units.ts'
import { type Knock, parseKnock } from './link/knock.ts'
import { receive } from './receiver/receive.ts'
import { type Judging, judge, judgeClaimed } from './warden/admission/judge.ts'

const NOW = unixSeconds(1_800_000_000)

const ip = (text: string) => must(parseAddress(text))

/** Both halves of a server, as two processes would have them: each has its own policy from the same files. */
function server(accessConf: string, fwknopdConf = '', change: Partial<Judging> = {}) {
  const { config } = must(parseFwknopdConf('/fwknopd.conf', fwknopdConf))
  const half = () => {
    const files = filesFromSnapshot({ texts: { '/access.conf': accessConf }, folders: {}, failures: {} })
    const { stanzas } = must(parseAccessConf('/access.conf', files))
    return { policy: must(buildPolicy(config, stanzas)).policy, index: new StanzaIndex(stanzas) }
  }
  const receiving = { ...half(), openers: new OpenerMemory() }
  const clock = new ManualClock(NOW)
  const firewall = createMemoryFirewall(() => clock.now() * 1000, 8)
  const replays: ReplayStore = memoryReplayStore({ maxAge: config.policy.maxAge })
  const ownAddresses = () => new Set([ip('192.0.2.1')])
  const judging: Judging = { ...half(), replays, firewall, commands: noCommands, clock, ownAddresses, ...change }
  return {
    receiving,
    judging,
    firewall,
    replays,
    clock,
    receive: (packet: CapturedPacket) => receive(packet, receiving),
    /** As the knock would arrive: through JSON. */
    judge: (...knocks: Knock[]) =>
      judge(
        knocks.map((knock) => must(parseKnock(JSON.parse(JSON.stringify(knock))))),
        judging,
      ),
    keysOf(id: number) {
      const stanza = receiving.index.byId(id as StanzaId)
      assert(stanza !== undefined)
      return stanza
    },
  }
}
type Server = ReturnType<typeof server>

let salts = 0
function sealed(at: Server, stanza: number, change: Partial<OutgoingMessage> = {}): string {
  const message = {
    kind: 'access',
    random: '0123456789012345',
    username: 'alice' as Username,
    timestamp: NOW,
    source: 'packet-source',
    ports: must(parseProtocolPorts('tcp/22')),
    ...change,
  } as OutgoingMessage
  const salt = new Uint8Array(8)
  new DataView(salt.buffer).setUint32(4, ++salts)
  return must(sealPacket(message, symmetricKeys(at.keysOf(stanza)), { digestType: 'sha256', salt }))
}
function captured(text: string, source: IpAddress = ip('192.0.2.9')): CapturedPacket {
  return {
    via: 'packet-socket',
    payload: encodeText(text),
    source,
    sourcePort: port(40_000),
    destination: ip('192.0.2.1'),
    destinationPort: port(62_201),
  }
}
const knockOf = (at: Server, text: string, source?: IpAddress) => must(at.receive(captured(text, source)))

const ONE = 'SOURCE ANY\nKEY hello12\nHMAC_KEY abc\n'
const SSH = { protocol: 'tcp', port: port(22) } as const

test('one packet opens one port for one source, once', async () => {
  const at = server(ONE)
  const text = sealed(at, 1)
  const [verdict] = await at.judge(knockOf(at, text))
  assert(verdict?.granted)
  assert.equal(grantAction(verdict).grant.id, '192.0.2.9>tcp/22')
  assert.notEqual(at.firewall.reach(ip('192.0.2.9'), SSH), 'shut')
  assert.equal(at.firewall.reach(ip('192.0.2.8'), SSH), 'shut')

  const [again] = await at.judge(knockOf(at, text))
  assert(again?.granted === false && again.failure.code === 'SPA_REPLAYED' && again.stanza === 1)
})

test('what no key opens reaches nobody and is told by the code of what was wrong', async () => {
  const at = server(ONE)
  const text = sealed(at, 1)
  const cases: [text: string, code: string][] = [
    ['', 'SPA_LENGTH'],
    [text.slice(0, 139), 'SPA_LENGTH'],
    [`${text.slice(0, -1)}!`, 'SPA_MALFORMED'],
    [`${text[0] === '9' ? '8' : '9'}${text.slice(1)}`, 'SPA_HMAC_MISMATCH'],
  ]
  for (const [bad, code] of cases) {
    const result = at.receive(captured(bad))
    assert(!result.ok && result.failure.code === code, JSON.stringify(result))
  }
  const elsewhere = server('SOURCE 10.0.0.0/8\nKEY hello12\nHMAC_KEY abc\n')
  const result = elsewhere.receive(captured(text))
  assert(!result.ok && result.failure.code === 'ACCESS_NO_SOURCE')
  assert.equal(await at.replays.size(), 0)
})

test('a packet with the right HMAC and the wrong encryption key is told to be of that stanza', () => {
  const at = server(ONE)
  const text = sealed(at, 1)
  const other = server(`SOURCE ANY\nKEY other\nHMAC_KEY xyz\n${ONE.replace('hello12', 'wrong')}`)
  const result = other.receive(captured(text))
  assert(!result.ok)
  assert.equal(result.failure.code, 'SPA_DECRYPT_FAILED')
  assert.equal('stanza' in result.failure ? result.failure.stanza : undefined, 2)
})

test('keys are tried until one opens, and the last of a source comes first the next time', () => {
  const at = server(Array.from({ length: 50 }, (_, i) => `SOURCE ANY\nKEY key${i}\nHMAC_KEY hmac${i}\n`).join(''))
  assert.equal(knockOf(at, sealed(at, 37)).openedBy, 37)
  assert.equal(at.receiving.openers.last(ip('192.0.2.9'))?.stanzas[0].id, 37)
  assert.equal(knockOf(at, sealed(at, 37)).openedBy, 37)
  assert.equal(knockOf(at, sealed(at, 2)).openedBy, 2)
})

test('stanzas with the same keys are asked in file order, whichever the receiver names', async () => {
  const at = server(`${ONE}OPEN_PORTS tcp/443\n${ONE}OPEN_PORTS tcp/22\n`)
  const knock = knockOf(at, sealed(at, 2))
  assert.equal(knock.openedBy, 1)
  for (const openedBy of [1, 2] as StanzaId[]) {
    const [verdict] = await at.judge({ ...knockOf(at, sealed(at, 2)), openedBy })
    assert(verdict?.granted && verdict.stanza === 2)
  }
})

test('a packet that policy denies is claimed all the same', async () => {
  const at = server(`${ONE}OPEN_PORTS tcp/443\n`)
  const text = sealed(at, 1)
  const [denied] = await at.judge(knockOf(at, text))
  assert(denied?.granted === false && denied.failure.code === 'ACCESS_PORT_DENIED' && denied.stanza === 1)
  assert.equal(await at.replays.size(), 1)
  const [again] = await at.judge(knockOf(at, text))
  assert(again?.granted === false && again.failure.code === 'SPA_REPLAYED')
})

test('two copies that arrive together: the first is granted', async () => {
  const at = server(ONE)
  const knock = knockOf(at, sealed(at, 1))
  const verdicts = await at.judge(knock, knock)
  assert.deepEqual(
    verdicts.map((verdict) => verdict.granted),
    [true, false],
  )
})

test('where replays are not refused, nothing is remembered', async () => {
  const at = server(ONE, 'ENABLE_DIGEST_PERSISTENCE N;')
  const knock = knockOf(at, sealed(at, 1))
  const verdicts = await at.judge(knock, knock)
  assert(verdicts.every((verdict) => verdict.granted))
  assert.equal(await at.replays.size(), 0)
})

test('an old packet is told to be old, also once the store has forgotten it', async () => {
  const at = server(ONE)
  const text = sealed(at, 1)
  await at.judge(knockOf(at, text))
  at.clock.advance(100_000)
  await at.judge(knockOf(at, sealed(at, 1, { timestamp: at.clock.now() })))
  const [verdict] = await at.judge(knockOf(at, text))
  assert(verdict?.granted === false)
  assert.equal(verdict.failure.code, 'SPA_STALE')
  assert.deepEqual([verdict.stanza, verdict.clocks], [1, { packet: NOW, server: NOW + 100_000 }])
})

test('a packet dated ahead is refused, leaves no entry, and opens nothing when its time comes', async () => {
  const at = server(ONE)
  const early = sealed(at, 1, { timestamp: unixSeconds(NOW + 600) })
  const [refused] = await at.judge(knockOf(at, early))
  assert(refused?.granted === false && refused.failure.code === 'SPA_FROM_FUTURE')
  assert.deepEqual([refused.stanza, refused.clocks], [1, { packet: NOW + 600, server: NOW }])
  assert.equal(await at.replays.size(), 0)
  at.clock.advance(600)
  const [later] = await at.judge(knockOf(at, early))
  assert(later?.granted === false && later.failure.code === 'SPA_REPLAYED')
  const [own] = await at.judge(knockOf(at, sealed(at, 1, { timestamp: unixSeconds(NOW + 600) })))
  assert(own?.granted)
})

test('who has used up the share of his key is refused until it is free again; who has another key is not', async () => {
  const twoKeys = `${ONE}SOURCE ANY\nKEY other\nHMAC_KEY xyz\n`
  const replays = memoryReplayStore({ maxAge: seconds(120), share: 3 })
  const at = server(`${twoKeys}${ONE}OPEN_PORTS tcp/22\n`, '', { replays })
  const knocks = [1, 1, 1, 1, 2].map((id) => knockOf(at, sealed(at, id)))
  const codes = (verdicts: readonly Verdict[]) => verdicts.map((verdict) => verdict.granted || verdict.failure.code)
  assert.deepEqual(codes(await at.judge(...knocks)), [true, true, true, 'REPLAY_STORE_FULL', true])
  // Stanzas with the same keys have one share. A reload makes new keyrings, but no other share.
  const { index } = server(`${twoKeys}${ONE}`).judging
  const again = await judge([knockOf(at, sealed(at, 3))], { ...at.judging, index })
  assert.deepEqual(codes(again), ['REPLAY_STORE_FULL'])
  assert.match(again[0]?.granted === false ? again[0].failure.detail : '', /MAX_PACKETS_PER_KEY/)
  at.clock.advance(121)
  const later = { timestamp: at.clock.now() }
  assert.deepEqual(codes(await at.judge(knockOf(at, sealed(at, 1, later)))), [true])
})

const lies: [what: string, change: (knock: Knock) => Knock][] = [
  ['a stanza that there is not', (knock) => ({ ...knock, openedBy: 9 as StanzaId })],
  ['a stanza for another source', (knock) => ({ ...knock, openedBy: 2 as StanzaId })],
]
for (const [what, change] of lies) {
  test(`a receiver that names ${what} gets nothing, and its neighbours lose nothing`, async () => {
    const at = server(`${ONE}\nSOURCE 10.0.0.1\nKEY other\nHMAC_KEY xyz\n`)
    const honest = knockOf(at, sealed(at, 1))
    const lie = change(knockOf(at, sealed(at, 1)))
    const verdicts = await at.judge(lie, honest, lie)
    assert.deepEqual(
      verdicts.map((verdict) => verdict.granted || verdict.failure.code),
      ['WARDEN_FORBIDDEN', true, 'WARDEN_FORBIDDEN'],
    )
    assert.equal(await at.replays.size(), 1)
  })
}

test('a receiver cannot ask for more than the stanza allows, whatever it says the packet said', async () => {
  const at = server(`${ONE}OPEN_PORTS tcp/22\nREQUIRE_SOURCE_ADDRESS Y\nREQUIRE_USERNAME alice\n`)
  const knock = knockOf(at, sealed(at, 1, { source: ip('10.1.2.3') }))
  const { message } = knock
  assert(message.kind === 'access')
  const bent: Knock['message'][] = [
    { ...message, ports: must(parseProtocolPorts('tcp/22,tcp/3306')) },
    { ...message, source: 'packet-source' },
    { ...message, username: 'root' as Username },
    { ...message, timestamp: unixSeconds(NOW + 1_000) },
  ]
  for (const asked of bent) {
    const [verdict] = await at.judge({ ...knock, message: asked })
    assert.equal(verdict?.granted, false)
  }
})

test('where the store cannot record, nothing opens', async () => {
  const { ok, failure } = refuse('REPLAY_STORE_FAILED', 'the disk is full')
  const at = server(ONE, '', { replays: { claim: async () => ({ ok, failure }) } })
  const verdicts = await at.judge(knockOf(at, sealed(at, 1)), knockOf(at, sealed(at, 1)))
  for (const verdict of verdicts) assert(!verdict.granted && verdict.failure.code === 'REPLAY_STORE_FAILED')
  assert.equal(at.firewall.reach(ip('192.0.2.9'), SSH), 'shut')
})

test('a full firewall refuses whom it has no room for, and only them', async () => {
  const at = server(ONE)
  const knocks = Array.from({ length: 10 }, (_, i) => knockOf(at, sealed(at, 1), ip(`192.0.2.${i + 1}`)))
  const verdicts = await at.judge(...knocks)
  assert.deepEqual(
    verdicts.map((verdict) => verdict.granted || verdict.failure.code),
    [...new Array(8).fill(true), 'FIREWALL_FULL', 'FIREWALL_FULL'],
  )
  const [, , , , , , , , refused] = verdicts
  assert(refused?.granted === false && refused.stanza === 1)
})

test('nobody keeps another out by leading the other’s port elsewhere first', async () => {
  const at = server(`${ONE}OPEN_PORTS tcp/22\nSOURCE ANY\nKEY mallory1\nHMAC_KEY def\n`, 'ENABLE_IPT_LOCAL_NAT Y;')
  const [victim, mallory] = [ip('192.0.2.9'), ip('192.0.2.66')]
  const elsewhere = { kind: 'localNatAccess', source: victim, localPort: port(8443), host: '192.0.2.1' } as const
  const trap = () => knockOf(at, sealed(at, 2, elsewhere as Partial<OutgoingMessage>), mallory)
  const [first, own, again] = await at.judge(trap(), knockOf(at, sealed(at, 1), victim), trap())
  assert(first?.granted && own?.granted)
  assert.deepEqual(grantAction(own).ended, [grantAction(first).grant])
  assert.equal(at.firewall.reach(victim, SSH), 'itself')
  assert(again?.granted === false && again.failure.code === 'FIREWALL_REFUSED')
})

test('a grant and what it ousts carry the names of their stanzas', async () => {
  const text = `${ONE}NAME phone\nOPEN_PORTS tcp/22\nSOURCE ANY\nNAME laptop\nKEY mallory1\nHMAC_KEY def\n`
  const at = server(text, 'ENABLE_IPT_LOCAL_NAT Y;')
  const elsewhere = {
    kind: 'localNatAccess',
    source: ip('192.0.2.9'),
    localPort: port(8443),
    host: '192.0.2.1',
  } as const
  const [, own] = await at.judge(
    knockOf(at, sealed(at, 2, elsewhere as Partial<OutgoingMessage>), ip('192.0.2.66')),
    knockOf(at, sealed(at, 1), ip('192.0.2.9')),
  )
  assert(own?.granted)
  assert.deepEqual([grantAction(own).grant.stanzaName, grantAction(own).ended?.[0]?.stanzaName], ['phone', 'laptop'])
})

test('nothing to judge is nothing done', async () => assert.deepEqual(await server(ONE).judge(), []))

test('a packet in an HTTP request, and the address that a proxy put into it', async () => {
  const conf = 'ENABLE_SPA_OVER_HTTP Y;\nENABLE_X_FORWARDED_FOR Y;'
  const at = server(ONE, conf)
  const request = must(encodeHttpRequest(sealed(at, 1), { server: '192.0.2.1' }))
  const [verdict] = await at.judge(
    knockOf(at, request.replace('\r\n\r\n', '\r\nX-Forwarded-For: 198.51.100.7\r\n\r\n')),
  )
  assert(verdict?.granted)
  assert.equal(grantAction(verdict).grant.source, '198.51.100.7')
  const off = server(ONE).receive(captured(request))
  assert(!off.ok && off.failure.code === 'SPA_MALFORMED')
})

const NAT = 'ENABLE_IPT_FORWARDING Y;\nENABLE_IPT_LOCAL_NAT Y;\n'
const byName = { kind: 'natAccess', target: { host: { name: 'inner.example' }, port: port(22) } } as const

/** As admission does once the name is known: with the keys that opened the packet. */
function withAddress(at: Server, knock: Knock, resolvedTarget: IpAddress | { why: string }, under = at.judging) {
  const { index } = at.judging
  const opener = index.byId(knock.openedBy)
  assert(opener !== undefined)
  return judgeClaimed(
    [{ knock, keyring: index.keyringOf(opener, 'symmetric')?.name ?? assert.fail(), resolvedTarget }],
    under,
  )
}

test('a host name is looked up in the family of the client, for a packet that is claimed and allowed', async () => {
  const at = server(ONE, NAT)
  for (const [i, [source, family, inner]] of (
    [
      ['192.0.2.9', 4, '10.0.0.5'],
      ['2001:db8::9', 6, 'fd00::5'],
    ] as const
  ).entries()) {
    const knock = knockOf(at, sealed(at, 1, byName), ip(source))
    const [asks] = await at.judge(knock)
    assert(asks?.granted === false && asks.failure.code === 'NAME_NOT_LOOKED_UP')
    assert.deepEqual([asks.lookUp, asks.stanza], [{ name: 'inner.example', family }, 1])
    assert.equal(await at.replays.size(), i + 1)
    const [verdict] = await withAddress(at, knock, ip(inner))
    assert(verdict?.granted)
    assert.deepEqual(grantAction(verdict).grant.openings, [
      { kind: 'forward', protocol: 'tcp', publicPort: 22, target: { address: inner, port: 22 }, translation: 'none' },
    ])
  }
})

/** By name, from 192.0.2.9. */
const quiet: [what: string, code: string | true, stanza: string, conf: string, change: Partial<OutgoingMessage>][] = [
  ['names are off', 'ACCESS_NAT_TARGET_INVALID', '', `${NAT}ENABLE_NAT_DNS N;`, {}],
  ['NAT is off', 'ACCESS_NAT_DISABLED', '', '', {}],
  ['the packet is stale', 'SPA_STALE', '', NAT, { timestamp: unixSeconds(NOW - 121) }],
  ['the packet is dated ahead', 'SPA_FROM_FUTURE', '', NAT, { timestamp: unixSeconds(NOW + 121) }],
  ['the port is denied', 'ACCESS_PORT_DENIED', 'OPEN_PORTS tcp/443\n', NAT, {}],
  ['the user is denied', 'ACCESS_USERNAME_DENIED', 'REQUIRE_USERNAME bob\n', NAT, {}],
  ['the stanza has expired', 'ACCESS_EXPIRED', 'ACCESS_EXPIRE 12/31/2020\n', NAT, {}],
  ['no NAT target has the port', 'ACCESS_NAT_TARGET_DENIED', 'NAT_TARGETS 10.0.0.0/8:23\n', NAT, {}],
  ['no NAT target has the family', 'ACCESS_NAT_TARGET_DENIED', 'NAT_TARGETS [fd00::]/8:22\n', NAT, {}],
  ['only this host is a NAT target', 'ACCESS_NAT_TARGET_DENIED', 'NAT_TARGETS local:23\n', NAT, {}],
  ['FORCE_NAT says where', true, 'FORCE_NAT 10.0.0.7 22\n', NAT, {}],
  ['an address is asked for', true, '', NAT, { target: { host: ip('10.0.0.5'), port: port(22) } } as object],
]
for (const [what, code, stanza, conf, change] of quiet)
  test(`a name is not looked up where ${what}`, async () => {
    const at = server(`${ONE}${stanza}`, conf)
    const [verdict] = await at.judge(knockOf(at, sealed(at, 1, { ...byName, ...change } as Partial<OutgoingMessage>)))
    assert(verdict !== undefined)
    assert.equal(verdict.granted || verdict.failure.code, code)
    assert.equal(verdict.granted ? undefined : verdict.lookUp, undefined)
  })

test('a name is looked up for the first of two copies only', async () => {
  const at = server(ONE, NAT)
  const knock = knockOf(at, sealed(at, 1, byName))
  const verdicts = await at.judge(knock, knock)
  assert.deepEqual(
    verdicts.map((verdict) => verdict.granted || [verdict.failure.code, verdict.lookUp !== undefined]),
    [
      ['NAME_NOT_LOOKED_UP', true],
      ['SPA_REPLAYED', false],
    ],
  )
})

test('a name that cannot be resolved is refused, says why, and the next stanza is asked', async () => {
  const vain = { why: 'the resolver is on holiday' }
  const at = server(ONE, NAT)
  const [verdict] = await withAddress(at, knockOf(at, sealed(at, 1, byName)), vain)
  assert(verdict?.granted === false && verdict.failure.code === 'ACCESS_NAT_TARGET_INVALID')
  assert.match(verdict.failure.detail, /“inner\.example” cannot be resolved: the resolver is on holiday/)
  const two = server(`${ONE}${ONE}FORCE_NAT 10.0.0.7 22\n`, NAT)
  const [next] = await withAddress(two, knockOf(two, sealed(two, 1, byName)), vain)
  assert(next?.granted && next.stanza === 2)
})

test('what is known of a name is judged under the configuration of now', async () => {
  const at = server(ONE, NAT)
  const knock = knockOf(at, sealed(at, 1, byName))
  const later: [stanzas: string, conf: string, verdict: string | number][] = [
    [`SOURCE ANY\nKEY other\nHMAC_KEY xyz\n${ONE}`, NAT, 2],
    ['SOURCE ANY\nKEY other\nHMAC_KEY xyz\n', NAT, 'ACCESS_NO_STANZA'],
    [ONE.replace('ANY', '10.0.0.0/8'), NAT, 'ACCESS_NO_STANZA'],
    [`${ONE}NAT_TARGETS 10.0.1.0/24:22\n`, NAT, 'ACCESS_NAT_TARGET_DENIED'],
    [`${ONE}ACCESS_EXPIRE 12/31/2020\n`, NAT, 'ACCESS_EXPIRED'],
    [ONE, `${NAT}ENABLE_NAT_DNS N;`, 'ACCESS_NAT_TARGET_INVALID'],
    [ONE, '', 'ACCESS_NAT_DISABLED'],
  ]
  for (const [stanzas, conf, expected] of later) {
    const [verdict] = await withAddress(at, knock, ip('10.0.0.5'), server(stanzas, conf).judging)
    assert(verdict !== undefined)
    assert.equal(verdict.granted ? verdict.stanza : verdict.failure.code, expected)
  }
  at.clock.advance(121)
  const [late] = await withAddress(at, knock, ip('10.0.0.5'))
  assert(late?.granted === false && late.failure.code === 'SPA_STALE')
})

test('an address that a name stands for is judged like one that was asked for', async () => {
  const at = server(`${ONE}NAT_TARGETS 10.0.0.0/24:22\n`, NAT)
  for (const [address, code] of [
    ['10.0.0.5', true],
    ['10.0.1.5', 'ACCESS_NAT_TARGET_DENIED'],
    ['127.0.0.1', 'ACCESS_NAT_TARGET_INVALID'],
    ['192.0.2.1', 'ACCESS_NAT_TARGET_INVALID'],
  ] as const) {
    const [verdict] = await withAddress(at, knockOf(at, sealed(at, 1, byName)), ip(address))
    assert(verdict !== undefined)
    assert.equal(verdict.granted || verdict.failure.code, code, address)
  }
})
