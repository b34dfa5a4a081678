/** The last knock of each user, on a real disk. */
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { Log, LogField } from '../../log.ts'
import type { StanzaUse } from './journal.ts'
import { type KnownUses, LastKnocks } from './last-knocks.ts'

const FIRST = '2026-11-01T00:00:00.000Z'
const LATER = '2026-11-26T00:00:00.000Z'
const ada: StanzaUse = { time: '2026-11-20T10:00:00.000Z', source: '192.0.2.7' }
const bob: StanzaUse = { time: '2026-11-21T10:00:00.000Z', source: '2001:db8::1', code: 'ACCESS_EXPIRED' }

let folder = ''
let file = ''
const said: (LogField | undefined)[] = []
const log: Log = {
  write: (_level, _event, fields) => {
    said.push(fields?.['text'])
  },
}
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ghostport-knocks-'))
  file = join(folder, 'state/last-knocks')
  said.length = 0
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

class Uses implements KnownUses {
  useChanges = 0
  all: Readonly<Record<string, StanzaUse>> = {}
  uses = () => this.all
  rememberUses(uses: Readonly<Record<string, StanzaUse>>): void {
    this.all = { ...uses, ...this.all }
  }
  use(all: Readonly<Record<string, StanzaUse>>): void {
    this.all = { ...this.all, ...all }
    this.useChanges++
  }
}

function begun(now: string, names = ['ada', 'bob']): { uses: Uses; knocks: LastKnocks } {
  const uses = new Uses()
  const knocks = new LastKnocks(file, uses, () => new Set(names), log, now)
  knocks.begin()
  return { uses, knocks }
}

describe('the last knocks', () => {
  it('are those of before the restart, and since the first of all starts', () => {
    const one = begun(FIRST)
    one.uses.use({ ada, bob })
    one.knocks.close()
    assert.equal(statSync(file).mode & 0o777, 0o600)
    const two = begun(LATER)
    assert.deepEqual(two.uses.all, { ada, bob })
    assert.equal(two.knocks.since, FIRST)
    two.knocks.close()
    assert.deepEqual(said, [])
  })

  it('are not written if nothing changed, and not kept for users who are gone', () => {
    const one = begun(FIRST, ['ada'])
    one.knocks.close()
    assert.equal(statSync(file, { throwIfNoEntry: false }), undefined)
    const two = begun(FIRST, ['ada'])
    two.uses.use({ ada, bob })
    two.knocks.close()
    assert.deepEqual(begun(LATER).uses.all, { ada })
  })

  for (const [what, text] of [
    ['empty', ''],
    ['half', '{"version":"1","since":"2026-11-01T00:00:00.000Z","uses":[{"name":"ada"'],
    ['of another version', JSON.stringify({ version: '2', since: FIRST, uses: [] })],
    ['with a hostile name', JSON.stringify({ version: '1', since: FIRST, uses: [{ name: 'a\u001b[31m', ...ada }] })],
    [
      'with a hostile source',
      JSON.stringify({ version: '1', since: FIRST, uses: [{ name: 'a', ...ada, source: '\n' }] }),
    ],
    ['with a time that is none', JSON.stringify({ version: '1', since: 'x', uses: [] })],
    [
      'with an unknown code',
      JSON.stringify({ version: '1', since: FIRST, uses: [{ name: 'a', ...ada, code: 'toString' }] }),
    ],
  ] as const)
    it(`a file that is ${what} is passed over, once told, and replaced`, () => {
      const first = begun(FIRST)
      first.uses.use({ ada })
      first.knocks.close()
      writeFileSync(file, text)
      const { uses, knocks } = begun(LATER)
      assert.deepEqual(uses.all, {})
      assert.match(String(said[0]), /is not kept in .*last-knocks: it is damaged, and is written anew$/)
      uses.use({ bob })
      knocks.close()
      assert.deepEqual(begun(LATER).uses.all, { bob })
      assert.equal(said.length, 1)
    })

  it('a file that others could change, or a link, is neither read nor written', () => {
    const one = begun(FIRST)
    one.uses.use({ ada })
    one.knocks.close()
    const text = readFileSync(file, 'utf8')
    chmodSync(file, 0o666)
    const { uses, knocks } = begun(LATER)
    assert.deepEqual(uses.all, {})
    uses.use({ bob })
    knocks.close()
    assert.equal(readFileSync(file, 'utf8'), text)
    assert.equal(said.length, 1)
    const precious = join(folder, 'precious')
    writeFileSync(precious, 'precious')
    rmSync(file)
    symlinkSync(precious, file)
    const linked = begun(LATER)
    linked.uses.use({ bob })
    linked.knocks.close()
    assert.equal(readFileSync(precious, 'utf8'), 'precious')
  })

  it('50 000 users come back', () => {
    const names = Array.from({ length: 50_000 }, (_, i) => `user-${i}`)
    const { uses, knocks } = begun(FIRST, names)
    uses.use(Object.fromEntries(names.map((name) => [name, bob])))
    knocks.close()
    assert.equal(Object.keys(begun(LATER).uses.all).length, 50_000)
  })
})
