/** The closing knock: which stanzas it is for, and what it is held against. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { must } from '../../test/support/results.ts'
import { parseAddress } from '../packet/address.ts'
import { EncryptionKey } from '../packet/key.ts'
import type { CloseMessage, Username } from '../packet/message.ts'
import { parseProtocolPorts } from '../packet/protocol-port.ts'
import { seconds, unixSeconds } from '../units.ts'
import { decide, examine } from './decide.ts'
import type { Policy } from './policy.ts'
import type { Stanza, StanzaId } from './stanza.ts'

const NOW = unixSeconds(1_800_000_000)
const ip = (text: string) => must(parseAddress(text))
const policy: Policy = {
  stanzas: [],
  maxAge: seconds(120),
  refuseReplays: true,
  http: 'off',
  nat: { forward: false, local: false, translation: 'none', resolveNames: true },
}
const stanza = (id: number, more: Partial<Stanza> = {}): Stanza => ({
  id: id as StanzaId,
  location: { file: 'access.conf', line: id },
  sources: 'any',
  destinations: 'any',
  encryption: { kind: 'symmetric', key: must(EncryptionKey.fromBytes(Uint8Array.of(1))), mode: 'CBC' },
  restrictPorts: [],
  timeout: seconds(30),
  maxTimeout: seconds(300),
  requireSourceAddress: false,
  requirePacketSource: false,
  ...more,
})
const message: CloseMessage = {
  kind: 'close',
  random: '0123456789012345',
  username: 'alice' as Username,
  timestamp: NOW,
  version: '3.0.0',
  source: ip('10.1.2.3'),
  ports: must(parseProtocolPorts('tcp/80')),
}
const request = { message, packetSource: ip('192.0.2.9'), packetDestination: ip('192.0.2.1') }
const cycle = { timer: seconds(30) } as unknown as NonNullable<Stanza['cycle']>
const expired = unixSeconds(NOW - 1)

test('it is for all stanzas with its keys that allow it, whatever ports and NAT they allow', () => {
  const stanzas = [
    stanza(1, { openPorts: must(parseProtocolPorts('tcp/22')) }),
    stanza(2, { expires: expired }),
    stanza(3, { restrictPorts: must(parseProtocolPorts('tcp/80')) }),
  ]
  const verdict = decide(policy, stanzas, request, NOW)
  assert.ok(verdict.granted && verdict.action.kind === 'close')
  const { closing } = verdict.action
  assert.deepEqual([verdict.stanza, closing.stanzas.map(({ id }) => id), closing.source], [1, [1, 3], '10.1.2.3'])
})

test('it closes for the address that it comes from, where it names none', () => {
  const verdict = decide(policy, [stanza(1)], { ...request, message: { ...message, source: 'packet-source' } }, NOW)
  assert.ok(verdict.granted && verdict.action.kind === 'close')
  assert.equal(verdict.action.closing.source, '192.0.2.9')
})

const refused: readonly [what: string, code: string, stanza: Partial<Stanza>, message?: Partial<CloseMessage>][] = [
  ['too old', 'SPA_STALE', {}, { timestamp: unixSeconds(NOW - 121) }],
  ['with keys that have expired', 'ACCESS_EXPIRED', { expires: expired }],
  ['of another user', 'ACCESS_USERNAME_DENIED', { requireUsername: 'bob' as Username }],
  ['from another address', 'ACCESS_SOURCE_MISMATCH', { requirePacketSource: true }],
  ['for loopback', 'ACCESS_SOURCE_UNUSABLE', {}, { source: ip('127.0.0.1') }],
  ['for a cycle of commands', 'ACCESS_REQUEST_INVALID', { cycle }],
]
for (const [what, code, more, asked] of refused)
  test(`one ${what} is refused`, () => {
    const verdict = decide(policy, [stanza(1, more)], { ...request, message: { ...message, ...asked } }, NOW)
    assert.equal(verdict.granted === false && verdict.failure.code, code)
  })

test('an administrator is told of each check', () => {
  const failed = examine(policy, stanza(1, { cycle }), request, NOW).filter(({ failure }) => failure !== undefined)
  assert.deepEqual(
    failed.map(({ rule }) => rule),
    ['CMD_CYCLE_CLOSE'],
  )
})
