import assert from 'node:assert/strict'
import { test } from 'node:test'
import { must } from '../../../test/support/results.ts'
import { type Grant, grantId, type Opening } from '../../access/grant.ts'
import type { StanzaId } from '../../access/stanza.ts'
import { parseStanzaName, type StanzaName } from '../../access/stanza-name.ts'
import { parseAddress } from '../../packet/address.ts'
import type { Username } from '../../packet/message.ts'
import { parseProtocolPorts } from '../../packet/protocol-port.ts'
import { port, seconds } from '../../units.ts'
import { asksFor, isOf } from './closing.ts'

const source = must(parseAddress('10.1.2.3'))
const name = (text: string): StanzaName => must(parseStanzaName(text))
const ssh: Opening = { kind: 'access', protocol: 'tcp', port: port(22) }
const web: Opening = { kind: 'ghost', protocol: 'tcp', publicPort: port(80), localPort: port(22) }
const dns: Opening = { kind: 'access', protocol: 'udp', port: port(53) }
const through: Opening = { kind: 'divert', target: source, translation: 'none' }

const grant = (openings: readonly Opening[], stanza: Partial<Pick<Grant, 'stanza' | 'stanzaName'>> = {}): Grant => ({
  ...{ id: grantId(source, openings), stanza: 3 as StanzaId, source, firstHand: true, openings },
  ...{ lifetime: seconds(30), username: 'alice' as Username, ...stanza },
})

test('a grant is meant by each of its public ports', () => {
  for (const [openings, ports, expected] of [
    [[ssh], 'tcp/22', true],
    [[ssh], 'udp/22', false],
    [[ssh, dns], 'udp/53', true],
    [[web], 'tcp/80', true],
    [[web], 'tcp/22', false],
    [[through], 'tcp/22', true],
    [[dns], 'tcp/53,tcp/22', false],
  ] as const)
    assert.equal(asksFor(must(parseProtocolPorts(ports)))(grant(openings)), expected, `${ports}`)
  for (const opening of [ssh, web, dns, through]) assert.equal(asksFor([])(grant([opening])), true)
})

test('a grant is of the stanza with its name; of the one with its number only where neither has a name', () => {
  const id = 3 as StanzaId
  const [alice, bob] = [name('alice'), name('bob')]
  for (const [made, asks, expected] of [
    [{}, { id }, true],
    [{}, { id: 4 as StanzaId }, false],
    [{ stanzaName: alice }, { id: 9 as StanzaId, name: name('ALICE') }, true],
    [{ stanzaName: alice }, { id, name: bob }, false],
    [{ stanzaName: alice }, { id }, false],
    [{}, { id, name: alice }, false],
  ] as const)
    assert.equal(isOf(grant([ssh], made), asks), expected, JSON.stringify([made, asks]))
})
