import assert from 'node:assert/strict'
import { test } from 'node:test'
import { must } from '../../../../test/support/results.ts'
import { type Grant, grantId, type Opening } from '../../../access/grant.ts'
import type { StanzaId } from '../../../access/stanza.ts'
import type { Verdict } from '../../../access/verdict.ts'
import { parseAddress } from '../../../packet/address.ts'
import type { Username } from '../../../packet/message.ts'
import { ok, refuse } from '../../../result.ts'
import { port, seconds } from '../../../units.ts'
import { type Hands, open } from './open.ts'

const stanza = 1 as StanzaId
const source = must(parseAddress('10.1.2.3'))
const username = 'alice' as Username

function opens(number: number): Verdict {
  const openings: readonly Opening[] = [{ kind: 'access', protocol: 'tcp', port: port(number) }]
  const grant = {
    ...{ id: grantId(source, openings), stanza, source, firstHand: true, openings, lifetime: seconds(30), username },
  }
  return { granted: true, stanza, denials: [], action: { kind: 'grant', grant } }
}
const closes: Verdict = {
  ...{ granted: true, stanza, denials: [] },
  action: { kind: 'close', closing: { stanzas: [{ id: stanza }], source, ports: [], username } },
}

function hands(): { readonly done: string[]; readonly hands: Hands } {
  const done: string[] = []
  const isOpen = new Set<Grant>()
  return {
    done,
    hands: {
      firewall: {
        open: async (grants) => {
          done.push(`open ${grants.map(({ id }) => id)}`)
          for (const grant of grants) isOpen.add(grant)
          return grants.map(() => ok(undefined))
        },
      },
      closeOwn: async () => {
        done.push('close')
        const ended = [...isOpen]
        isOpen.clear()
        return ok(ended)
      },
      commands: { runCommand: () => assert.fail(), runCycle: () => assert.fail() },
      index: { byId: () => undefined },
    },
  }
}

test('of packets that came together, a close ends what came before it, and nothing that came after it', async () => {
  const { done, hands: both } = hands()
  const verdicts = await open([opens(22), opens(80), closes, opens(22), closes], both)
  assert.deepEqual(done, ['open 10.1.2.3>tcp/22,10.1.2.3>tcp/80', 'close', 'open 10.1.2.3>tcp/22', 'close'])
  const ended = verdicts.flatMap((it) => (it.granted && it.action.kind === 'close' ? [it.action.closed?.length] : []))
  assert.deepEqual(ended, [2, 1])
})

test('what cannot be closed is refused, and the others are carried out', async () => {
  const failure = refuse('FIREWALL_REFUSED', 'not now')
  for (const closeOwn of [async () => failure, undefined]) {
    const { done, hands: both } = hands()
    const [first, second] = await open([closes, opens(22)], { ...both, closeOwn })
    assert.equal(first?.granted === false && first.failure.code, 'FIREWALL_REFUSED')
    assert.equal(second?.granted, true)
    assert.deepEqual(done, ['open 10.1.2.3>tcp/22'])
  }
})
