/** Rosters and pages of a cluster’s users: what a node takes, and what a change makes of the pages. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encodeText, jsonLine } from '../bytes/text.ts'
import { disabled } from '../config/access/edit-stanza.ts'
import type { ClusterName } from '../config/server/cluster-settings.ts'
import { copyText, seenIn } from './copy.ts'
import { endedUsers } from './ended.ts'
import { changePages, onPages, type PageOfStanzas, type StanzaChange } from './pages.ts'
import { judgeRoster, MOST_OF_ONE_PAGE, MOST_RECENT, nextRoster, type Roster, readPage, readRoster } from './roster.ts'
import { likenessOf } from './same-stanza.ts'
import { marked } from './since.ts'

const id = (n: number): string => `${n}`.padStart(16, 'A')
const made = (n: number) => ({ id: id(n), node: 'web-1', at: 1_764_150_000, pages: [] })
/** 1 to n, each after the one before. */
const history = (n: number, first = 0): readonly Roster[] => {
  const all: Roster[] = []
  for (let i = 1; i <= n; i++) all.push(nextRoster(all.at(-1), made(first + i)))
  return all
}
const last = (all: readonly Roster[]): Roster => all.at(-1) ?? assert.fail()

describe('a roster', () => {
  const [one, two, three] = history(3) as [Roster, Roster, Roster]

  it('is taken if it is newer and follows what the node took, also with others in between', () => {
    assert.equal(judgeRoster(undefined, two), 'newer')
    assert.equal(judgeRoster(one, two), 'newer')
    assert.equal(judgeRoster(one, three), 'newer')
    assert.equal(judgeRoster(two, two), 'same')
    assert.equal(judgeRoster(one, last(history(MOST_RECENT + 3))), 'newer')
  })

  it('is never taken if it is older, or was made by somebody who did not know what the node took', () => {
    assert.equal(judgeRoster(three, two), 'older')
    const other = history(5, 100)
    assert.equal(judgeRoster(three, other[1] as Roster), 'older')
    assert.equal(judgeRoster(three, other[2] as Roster), 'forked')
    assert.equal(judgeRoster(three, other[4] as Roster), 'forked')
  })

  it('that settles a fork is taken by both sides', () => {
    const other = history(5, 100)
    const settled = nextRoster(three, made(200), other)
    assert.equal(settled.version, 6)
    assert.equal(judgeRoster(three, settled), 'newer')
    assert.equal(judgeRoster(last(other), settled), 'newer')
    assert.ok(readRoster(settled))
  })

  it('that is longest fits into a record', () => {
    const longest = { ...last(history(100)), node: 'n'.repeat(63), pages: Array.from({ length: 256 }, (_, i) => id(i)) }
    assert.ok(readRoster(longest))
    assert.ok(encodeText(jsonLine(longest)).length <= 8192)
  })

  it('is read strictly', () => {
    for (const wrong of [
      null,
      {},
      { ...one, version: 0 },
      { ...one, id: 'x' },
      { ...one, more: 1 },
      { ...one, pages: ['../x'] },
    ])
      assert.equal(readRoster(wrong), undefined)
  })
})

const stanza = (name: string, port = 22, filler = ''): string =>
  `SOURCE              ANY\nNAME                ${name}\nOPEN_PORTS          tcp/${port}\nKEY                 key of ${name}${filler}`
const written = (pages: readonly PageOfStanzas[]): PageOfStanzas[] =>
  pages.map((page, i) => ({ id: page.id ?? `page${i}`.padStart(16, '0'), stanzas: page.stanzas }))
function changed(pages: readonly PageOfStanzas[], ...changes: readonly StanzaChange[]): readonly PageOfStanzas[] {
  const result = changePages(pages, changes)
  assert.ok(result.ok, JSON.stringify(result))
  return result.value
}
const all = (pages: readonly PageOfStanzas[]): readonly string[] => pages.flatMap(({ stanzas }) => stanzas)

describe('the pages of a cluster', () => {
  const names = Array.from({ length: 2000 }, (_, i) => `user-${i}`)
  const many = onPages(names.map((name) => stanza(name, 22, 'x'.repeat(250))))
  assert.ok(many.ok)
  const pages = written(many.value)

  it('have room for 2 000 users, each page for a record', () => {
    assert.ok(pages.length <= 256, `${pages.length}`)
    for (const { stanzas } of pages) assert.ok(encodeText(jsonLine({ stanzas })).length <= 8192)
    assert.equal(all(pages).length, 2000)
  })

  it('are written anew only where something changes', () => {
    const before = stanza('user-700', 22, 'x'.repeat(250))
    const after = stanza('user-700', 443)
    const now = changed(pages, { key: 'user-700', before, after })
    assert.equal(now.filter((page) => page.id === undefined).length, 1)
    assert.equal(now.length, pages.length)
    assert.equal(all(now)[700], after)
  })

  it('get a new stanza at their end, and lose one that is removed', () => {
    const now = changed(pages, { key: 'ada', after: stanza('ada') })
    assert.equal(all(now).at(-1), stanza('ada'))
    const without = changed(written(now), { key: 'ada', before: stanza('ada') })
    assert.deepEqual(all(without), all(pages))
    assert.deepEqual(changed([{ id: id(1), stanzas: [stanza('ada')] }], { key: 'ada', before: stanza('ada') }), [])
  })

  it('refuse a change of what another node has changed meanwhile', () => {
    const there = [{ id: id(1), stanzas: [stanza('ada', 443)] }]
    for (const change of [
      { key: 'ada', before: stanza('ada', 22), after: stanza('ada', 80) },
      { key: 'ada', before: stanza('ada', 22) },
      { key: 'ada', after: stanza('ada') },
      { key: 'bob', before: stanza('bob'), after: stanza('bob', 80) },
    ]) {
      const result = changePages(there, [change])
      assert.ok(!result.ok)
      assert.equal(result.failure.code, 'CLUSTER_USERS_REFUSED')
    }
  })

  it('refuse a stanza that no record holds, and more pages than a roster', () => {
    assert.ok(!changePages([], [{ key: 'ada', after: stanza('ada', 22, 'x'.repeat(8000)) }]).ok)
    assert.ok(!onPages(names.concat(names).map((name) => stanza(name, 22, 'x'.repeat(1500)))).ok)
    const tiny = onPages(Array.from({ length: 2 * MOST_OF_ONE_PAGE + 1 }, (_, i) => `NAME ${i}`))
    assert.ok(tiny.ok)
    assert.ok(tiny.value.every((page) => readPage({ stanzas: page.stanzas }) !== undefined))
  })

  it('stay few, also after many changes', () => {
    let now: readonly PageOfStanzas[] = []
    for (const name of names.slice(0, 300)) now = written(changed(now, { key: name, after: stanza(name) }))
    assert.ok(now.length < 20, `${now.length}`)
  })
})

const CLUSTER = 'front' as ClusterName

describe('the copy of a node', () => {
  it('says of which version it is', () => {
    const text = copyText(CLUSTER, { version: 12, id: id(3) }, [stanza('ada')])
    assert.deepEqual(seenIn(CLUSTER, text), { version: 12, id: id(3) })
    assert.equal(seenIn(CLUSTER, 'SOURCE ANY\n'), undefined)
    assert.equal(seenIn('back' as ClusterName, text), undefined, 'of another cluster')
  })

  it('tells which users lose what they have', () => {
    const off = stanza('ada').replace('OPEN', '# ghostport: disabled. Before: no end\nACCESS_EXPIRE_EPOCH 1\nOPEN')
    const text = (...stanzas: string[]) => copyText(CLUSTER, { version: 1, id: id(1) }, stanzas)
    assert.deepEqual(endedUsers(text(stanza('ada'), stanza('bob')), text(off)), ['ada', 'bob'])
    assert.deepEqual(endedUsers(text(off), text(off, stanza('bob'))), [])
    assert.deepEqual(endedUsers(text(stanza('ada')), text(stanza('ada', 443))), [])
  })

  it('tells who is back from who was there all the time', () => {
    const enabled = stanza('ada')
    const off = enabled.replace('OPEN', '# ghostport: disabled. Before: no end\nACCESS_EXPIRE_EPOCH 1\nOPEN')
    const [first, second, third] = [1, 2, 3].map((n) => `2026-11-27T10:00:00.00${n}Z`) as [string, string, string]
    const one = (change: Omit<StanzaChange, 'key'>, at: string): string | undefined =>
      marked([{ key: 'ada', ...change }], at)[0]?.after
    const added = one({ after: enabled }, first) ?? ''
    assert.match(added, /^NAME {16}ada\n# ghostport: since 2026-11-27T10:00:00\.001Z\nOPEN/m)
    // The mark stays also where the command wrote none.
    const edited = one({ before: added, after: stanza('ada', 443) }, second) ?? ''
    assert.equal(edited, added.replace('tcp/22', 'tcp/443'))
    const disabled = one({ before: added, after: off }, second) ?? ''
    assert.match(disabled, /001Z/)
    const back = one({ before: disabled, after: added }, third) ?? ''
    assert.match(back, /003Z/)
    assert.equal(one({ before: back }, third), undefined)
    // Of before this was marked.
    assert.equal(one({ before: enabled, after: stanza('ada', 443) }, second), stanza('ada', 443))

    const text = (...stanzas: readonly string[]) => copyText(CLUSTER, { version: 1, id: id(1) }, stanzas)
    const again = one({ after: enabled }, second) ?? ''
    for (const [before, after, ended] of [
      [added, edited, []],
      [added, added, []],
      [added, again, ['ada']],
      [added, back, ['ada']],
      [enabled, added, ['ada']],
      [off, again, []],
      [disabled, back, []],
    ] as const)
      assert.deepEqual(endedUsers(text(before), text(after)), ended, `${before}\n${after}`)
  })
})

describe('a stanza of a node and that of the cluster with its name', () => {
  const ada = stanza('ada').split('\n')
  const markOf = (text: string, at = '2026-11-27T10:00:00.000Z'): string =>
    marked([{ key: 'ada', after: text }], at)[0]?.after ?? assert.fail()
  const out = disabled(ada)
  for (const [what, own, there, likeness] of [
    ['the same text', ada, stanza('ada'), 'same'],
    ['a mark that the cluster has put there', ada, markOf(stanza('ada')), 'same'],
    ['other marks of the cluster', markOf(stanza('ada'), 'then').split('\n'), markOf(stanza('ada')), 'same'],
    ['blank lines at the end', [...ada, '', ' '], markOf(stanza('ada')), 'same'],
    ['disabled at both', out, markOf(out.join('\n')), 'same'],
    ['disabled in the cluster since', ada, markOf(out.join('\n')), 'disabled there'],
    ['disabled at the node alone', out, markOf(stanza('ada')), 'other'],
    ['disabled in the cluster, and other keys', ada, markOf(disabled([...ada, 'HMAC_KEY x']).join('\n')), 'other'],
    ['other ports', ada, markOf(stanza('ada', 443)), 'other'],
    ['a name in other letters', stanza('Ada').split('\n'), markOf(stanza('ada')), 'other'],
  ] as const)
    it(`${what}: ${likeness}`, () => {
      assert.equal(likenessOf(own, there), likeness)
    })
})
