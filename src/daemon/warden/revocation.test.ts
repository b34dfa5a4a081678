/** What other nodes of a cluster end here: together, however many, and with the lines that a revocation here has. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { type Grant, grantId, type Opening } from '../../access/grant.ts'
import type { StanzaId } from '../../access/stanza.ts'
import { parseStanzaName } from '../../access/stanza-name.ts'
import { createMemoryFirewall } from '../../firewall/memory.ts'
import { MemoryLog } from '../../log.ts'
import { parseAddress } from '../../packet/address.ts'
import { parseUsername } from '../../packet/username.ts'
import { ok } from '../../result.ts'
import { port, type Seconds } from '../../units.ts'
import { Revocation, type RevocationParts, whatIsLeft } from './revocation.ts'
import { grantTag } from './revoke-target.ts'
import { Unconfirmed } from './unconfirmed.ts'
import type { Candidate } from './under-way.ts'

const opening: Opening = { kind: 'access', protocol: 'tcp', port: port(22) }

function grantOf(address: string, name = 'alice'): Grant {
  const [source, username, stanzaName] = [parseAddress(address), parseUsername('ada'), parseStanzaName(name)]
  assert.ok(source.ok && username.ok && stanzaName.ok)
  return {
    ...{ id: grantId(source.value, [opening]), stanza: 1 as StanzaId, stanzaName: stanzaName.value },
    ...{ source: source.value, openings: [opening], username: username.value, lifetime: 300 as Seconds },
    firstHand: false,
  }
}

async function server(
  t: TestContext,
  settled: RevocationParts['settled'] = async () => true,
  more: Partial<RevocationParts> = {},
) {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-revocation-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'revocations')
  const firewall = createMemoryFirewall()
  assert.ok((await firewall.install()).ok)
  const [log, calls] = [new MemoryLog(), { revoke: 0, grants: 0, kept: false }]
  const revocation = new Revocation({
    firewall: {
      ...firewall,
      revoke: async (ids) => {
        calls.revoke++
        calls.kept = existsSync(file)
        return await firewall.revoke(ids)
      },
      grants: async () => {
        calls.grants++
        return await firewall.grants()
      },
    },
    ...{ log, unconfirmed: new Unconfirmed(file) },
    settled,
    stanzas: () => [{ id: 3, name: 'alice' }],
    config: () => ({ kind: 'relay', listeners: [] }) as never,
    closeNow: async () => ok({ good: 0, failed: 0, unfinished: 0 }),
    owing: () => [],
    ...more,
  })
  const open = async (grants: readonly Grant[]) => {
    for (const one of await revocation.doors.open(grants)) assert.ok(one.ok, JSON.stringify(one))
  }
  const live = async () => {
    const grants = await firewall.grants()
    assert.ok(grants.ok)
    return grants.value.map(({ grant }) => grant.source)
  }
  const ends = () => log.records.filter(({ event }) => event === 'grant ended')
  return { revocation, calls, log, file, open, live, ends }
}

describe('what other nodes end here', () => {
  it('two thousand grants end in a few steps, each with its line', async (t) => {
    const { revocation, calls, file, open, live, ends } = await server(t)
    const grants = Array.from({ length: 2000 }, (_, i) => grantOf(`198.${51 + (i >> 8)}.100.${i & 255}`))
    const mine = grantOf('203.0.113.5')
    await open([...grants, mine])
    const answer = await revocation.revokedElsewhere(grants, 'web-1')
    assert.ok('revoked' in answer && answer.revoked.length === 2000, JSON.stringify(answer).slice(0, 300))
    assert.deepEqual(await live(), ['203.0.113.5'])
    assert.ok(calls.kept, 'what a killed server would have left was on the disk')
    assert.ok(calls.revoke <= 2 && calls.grants <= 2, JSON.stringify(calls))
    assert.equal(ends().length, 2000)
    const { detail, by, name } = ends()[0]?.fields ?? {}
    assert.deepEqual([detail, by, name], ['revoked at web-1', 'web-1', 'alice'])
    assert.ok(!existsSync(file))
  })

  it('what a killed server had begun to end, however much, is ended by the next one', async (t) => {
    const { revocation, file, open, live, calls } = await server(t)
    const grants = Array.from({ length: 2000 }, (_, i) => grantOf(`198.${51 + (i >> 8)}.100.${i & 255}`))
    await open(grants)
    new Unconfirmed(file).begin(...grants.map((grant) => ({ word: 'g:00000000', grants: [grant] })))
    await revocation.finishEarlier()
    assert.deepEqual(await live(), [])
    assert.ok(calls.grants <= 2, `${calls.grants}`)
    assert.ok(!existsSync(file))
  })

  it('what its client closed elsewhere ends here, except what another stanza has open too', async (t) => {
    const { revocation, open, live, ends } = await server(t)
    const [one, two, other] = [grantOf('198.51.100.1'), grantOf('198.51.100.2'), grantOf('198.51.100.2', 'bob')]
    await open([one, two, other])
    const closed = await revocation.closedElsewhere([one, two], 'web-1')
    assert.deepEqual(closed, ok([one]))
    assert.deepEqual(await live(), ['198.51.100.2'])
    assert.deepEqual(
      ends().map(({ fields }) => [fields['detail'], fields['by'], fields['for']]),
      [['its own client closed it', 'web-1', '198.51.100.1']],
    )
  })
})

describe('what is on its way', () => {
  const candidate = (stanza: string, source: string): Candidate => {
    const address = parseAddress(source)
    assert.ok(address.ok)
    return { stanzas: [stanza], sources: [address.value] }
  }
  const own = candidate('Alice', '198.51.100.1')
  const far = candidate('alice', '198.51.100.9')
  const bob = candidate('bob', '198.51.100.1')
  const stranger = candidate('bob', '203.0.113.5')
  const grant = grantOf('198.51.100.1')

  for (const [what, word, concerned] of [
    ['a user', 'alice', [own, far]],
    ['the number of a user', '3', [own, far]],
    ['an address', '198.51.100.1', [own, bob]],
    ['a grant', grantTag(grant.id), [own, bob]],
  ] as const)
    it(`is waited for, where it may open what is revoked again: ${what}`, async (t) => {
      const seen: Candidate[][] = []
      const { revocation, open, live } = await server(t, async (_, isConcerned) => {
        seen.push([own, far, bob, stranger].filter(isConcerned))
        return false
      })
      await open([grant])
      const answer = await revocation.answer(word, {})
      assert.ok('problem' in answer, JSON.stringify(answer))
      assert.match(answer.problem ?? '', /still wait to be judged.*: revoke again/)
      assert.deepEqual(seen, [concerned])
      assert.deepEqual(await live(), [])
    })

  it('is not waited for by what another node revokes, while it waits for others: all that ends here would wait', async (t) => {
    const seen: Candidate[][] = []
    const { revocation, open } = await server(t, async (_, isConcerned) => {
      seen.push([own, far, bob, stranger].filter(isConcerned))
      return true
    })
    await open([grant])
    await revocation.revokedElsewhere([grant], 'web-1')
    assert.deepEqual(seen, [[]])
  })

  it('opens during the wait, and ends', async (t) => {
    const late = grantOf('198.51.100.2')
    let opens = async (): Promise<void> => {}
    const { revocation, open, live, ends } = await server(t, async () => {
      await opens()
      return true
    })
    await open([grant])
    opens = () => open([late])
    const answer = await revocation.answer('alice', {})
    assert.ok('revoked' in answer && answer.problem === undefined, JSON.stringify(answer))
    assert.equal(answer.revoked.length, 2)
    assert.deepEqual([await live(), ends().length], [[], 2])
  })
})

describe('users who are removed', () => {
  const users = ['alice', 'bob', 'carol'].map((text) => {
    const name = parseStanzaName(text)
    assert.ok(name.ok)
    return { name: name.value, whose: text === 'carol' ? 'own' : 'all' } as const
  })

  it('end together, here and at other nodes: one of them that is silent costs its time once', async (t) => {
    const asked: [string | undefined, boolean[]][] = []
    const grants = [grantOf('198.51.100.1'), grantOf('198.51.100.2', 'BOB'), grantOf('198.51.100.3', 'carol')]
    const mine = grantOf('203.0.113.5', 'dave')
    const { revocation, open, live, calls, file } = await server(t, undefined, {
      endElsewhere: async (isMeant, _, whose) => {
        asked.push([whose, [...grants, mine].map(isMeant)])
        return { closed: [], unreached: ['web-2'] }
      },
    })
    await open([...grants, mine])
    const answer = await revocation.users(users, {})
    assert.ok('revoked' in answer && answer.revoked.length === 3, JSON.stringify(answer))
    assert.deepEqual(await live(), ['203.0.113.5'])
    const once: typeof asked = [
      ['all', [true, true, false, false]],
      ['own', [false, false, true, false]],
    ]
    assert.deepEqual(asked, [...once, ...once])
    assert.ok(calls.kept && !existsSync(file) && calls.revoke <= 2, JSON.stringify(calls))
    assert.match(whatIsLeft(answer).problem ?? '', /not confirmed as closed at web-2/)
    assert.equal(whatIsLeft(answer).again, undefined)
  })

  it('are ended again where knocks of before still wait, or the firewall refused', async (t) => {
    const { revocation } = await server(t, async () => false)
    const left = whatIsLeft(await revocation.users(users, {}))
    assert.match(left.problem ?? '', /still wait to be judged/)
    assert.equal(left.again, true)
    const failed = await server(t, undefined, { closeNow: async () => ok({ good: 0, failed: 0, unfinished: 0 }) })
    assert.deepEqual(whatIsLeft(await failed.revocation.users(users, {})), {})
    const refused = whatIsLeft({ failure: { code: 'FIREWALL_REFUSED', detail: 'no' } })
    assert.deepEqual(refused, { problem: 'no', again: true })
  })

  it('end by hand too where the last knock of before opens only now', async (t) => {
    const late = grantOf('198.51.100.2', 'bob')
    let opens = async (): Promise<void> => {}
    const { revocation, open, live } = await server(t, async () => {
      await opens()
      return true
    })
    opens = async () => {
      opens = async () => {}
      await open([late])
    }
    const answer = await revocation.answer('bob', {})
    assert.ok('revoked' in answer && answer.revoked.length === 1, JSON.stringify(answer))
    assert.deepEqual(await live(), [])
    const unknown = await revocation.answer('nobody', {})
    assert.ok('failure' in unknown && unknown.failure.code === 'REVOKE_UNKNOWN')
  })
})
