/** What was taken stays taken, also after a restart; nothing is taken where that cannot be written. */
import assert from 'node:assert/strict'
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { type RecordId, recordId } from '../../../cluster-record/record-name.ts'
import { type UnixSeconds, unixSeconds } from '../../../units.ts'
import { TakenFile } from './taken-file.ts'

const id = (text: string): RecordId => recordId(text) as RecordId
const at = (time: number): UnixSeconds => unixSeconds(time)

function fileFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-taken-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return join(folder, 'taken')
}
function open(path: string, now = 1000): TakenFile {
  const taken = TakenFile.open(path, at(now))
  assert.ok(taken.ok, JSON.stringify(taken))
  return taken.value
}

describe('the grants that a node has taken', () => {
  it('are taken once, also after a restart and after a crash in the middle of a line', async (t) => {
    const path = fileFor(t)
    const first = open(path)
    assert.ok(first.isNew(id('a'), at(2000)))
    assert.equal(await first.add([{ id: id('a'), end: at(2000), grant: 'what it opened' }], at(1000)), undefined)
    assert.ok(!first.isNew(id('a'), at(2000)))
    await first.close()
    appendFileSync(path, '{"id":"b","end":20')
    const second = open(path)
    t.after(() => second.close())
    assert.deepEqual(second.get(id('a')), { id: 'a', end: 2000, grant: 'what it opened' })
    assert.ok(second.isNew(id('b'), at(2000)))
    // It was revoked.
    await second.add([{ id: id('a'), end: at(2000) }], at(1000))
    assert.equal(open(path).get(id('a'))?.grant, undefined)
  })

  it('are written before they are on the disk, and outlive a process that ends in between', async (t) => {
    const path = fileFor(t)
    const first = open(path)
    const note = (name: string) => first.note([{ id: id(name), end: at(2000), grant: name }], at(1000))
    const [a, b] = [note('a'), note('b')]
    assert.ok(!first.isNew(id('b'), at(2000)))
    assert.deepEqual([await a.written, await b.written], [undefined, undefined])
    // Another process would read the same.
    assert.match(readFileSync(path, 'utf8'), /"a".*\n.*"b".*\n$/)
    let isDurable = false
    const durable = Promise.all([a.durable, b.durable]).then((both) => {
      isDurable = true
      return both
    })
    assert.equal(isDurable, false)
    // A revocation waits for the disk, in order after them.
    assert.equal(await first.add([{ id: id('a'), end: at(2000) }], at(1000)), undefined)
    await first.close()
    assert.equal(isDurable, true)
    assert.deepEqual(await durable, [undefined, undefined])
    const second = open(path)
    t.after(() => second.close())
    assert.equal(second.get(id('a'))?.grant, undefined)
    assert.equal(second.get(id('b'))?.grant, 'b')
  })

  it('are forgotten after their end, and taken no more if the clock goes back', async (t) => {
    const path = fileFor(t)
    const first = open(path)
    await first.add([{ id: id('a'), end: at(2000) }], at(1000))
    await first.close()
    assert.ok(open(path, 10_000).get(id('a')), 'for a day, those who revoke it end its connections')
    const later = open(path, 2001 + 24 * 3600)
    assert.equal(later.get(id('a')), undefined)
    const back = open(path, 1000)
    assert.ok(!back.isNew(id('a'), at(2000)))
    assert.ok(back.isNew(id('b'), at(2001)))
  })

  it('have room again when others have ended, and no key holder fills it for long', async (t) => {
    const path = fileFor(t)
    const taken = TakenFile.open(path, at(1000), 4)
    assert.ok(taken.ok)
    const add = (name: string, end: number, now: number) => taken.value.add([{ id: id(name), end: at(end) }], at(now))
    for (const name of ['a', 'b', 'c', 'd']) assert.equal(await add(name, 2000, 1000), undefined)
    assert.match(`${await add('e', 2000, 1500)}`, /has 4 grants, which is the limit/)
    assert.ok(taken.value.isNew(id('e'), at(2000)), 'what found no room is not taken')
    assert.equal(await add('f', 3000, 2001), undefined)
    assert.ok(!taken.value.isNew(id('a'), at(2000)))
    await taken.value.close()
    assert.deepEqual([...open(path, 2001).all()], [{ id: 'f', end: 3000 }])
  })

  it('are all there after many at the same time, also while the file is written anew', async (t) => {
    const path = fileFor(t)
    const taken = TakenFile.open(path, at(1000), 40)
    assert.ok(taken.ok)
    await Promise.all(
      Array.from({ length: 30 }, (_, i) => taken.value.add([{ id: id(`old-${i}`), end: at(1100) }], at(1000))),
    )
    const added = await Promise.all(
      Array.from({ length: 30 }, (_, i) => taken.value.add([{ id: id(`new-${i}`), end: at(9000) }], at(1200))),
    )
    assert.deepEqual([...new Set(added)], [undefined])
    await taken.value.close()
    const read = open(path, 1200)
    for (let i = 0; i < 30; i++) assert.ok(read.get(id(`new-${i}`)), `${i}`)
  })

  it('are taken again after a full disk, with what was written by then', async (t) => {
    const path = fileFor(t)
    const taken = open(path)
    assert.equal(await taken.add([{ id: id('a'), end: at(2000) }], at(1000)), undefined)
    await taken.close()
    // It cannot be written for some time, and then ends in the middle of a line.
    rmSync(path)
    mkdirSync(path)
    assert.match(`${await taken.add([{ id: id('b'), end: at(2000) }], at(1000))}`, /taken/)
    const noted = taken.note([{ id: id('b'), end: at(2000) }], at(1000))
    assert.match(`${await noted.written}`, /taken/)
    assert.match(`${await noted.durable}`, /taken/)
    rmSync(path, { recursive: true })
    writeFileSync(path, '{"id":"a","end":2000}\n{"id":"b","en', { mode: 0o600 })
    assert.equal(await taken.add([{ id: id('c'), end: at(2000) }], at(1000)), undefined)
    assert.equal(await taken.add([{ id: id('d'), end: at(2000) }], at(1000)), undefined)
    await taken.close()
    const read = open(path)
    for (const name of ['a', 'b', 'c', 'd']) assert.ok(read.get(id(name)), name)
  })

  it('are not taken where the file is damaged, or cannot be written', async (t) => {
    const path = fileFor(t)
    writeFileSync(path, '{"id":"a","end":2000}\nnonsense\n{"id":"b","end":2000}\n', { mode: 0o600 })
    const damaged = TakenFile.open(path, at(1000))
    assert.equal(damaged.ok || damaged.failure.code, 'REPLAY_STORE_FAILED')
    assert.match(readFileSync(path, 'utf8'), /nonsense/)
    rmSync(path)
    const taken = open(path)
    rmSync(path)
    mkdirSync(path)
    assert.match(`${await taken.add([{ id: id('c'), end: at(2000) }], at(1000))}`, /taken/)
  })

  it('that another node gives an end in the far future go when they end here: they do not fill the file for ever', async (t) => {
    const path = fileFor(t)
    const made = TakenFile.open(path, at(1000), 4)
    assert.ok(made.ok)
    const taken = made.value
    t.after(() => taken.close())
    const far = at(9_999_999)
    const all = ['a', 'b', 'c', 'd'].map((name) => ({ id: id(name), end: far, grant: name, here: at(1300) }))
    assert.equal(await taken.add(all, at(1000)), undefined)
    const more = [{ id: id('e'), end: at(1400), grant: 'e' }]
    assert.match((await taken.add(more, at(1299))) ?? '', /has 4 grants, which is the limit/)
    assert.ok(!taken.isNew(id('a'), far))
    assert.equal(await taken.add(more, at(1301)), undefined)
    assert.deepEqual(
      taken.all().map((one) => one.id),
      ['e'],
    )
    assert.deepEqual([taken.isNew(id('x'), at(1300)), taken.isNew(id('x'), at(1302))], [false, true])
  })

  it('keep when they end here over a restart', async (t) => {
    const path = fileFor(t)
    const first = open(path)
    await first.add([{ id: id('a'), end: at(9_999_999), here: at(1300) }], at(1000))
    await first.close()
    assert.deepEqual(open(path).get(id('a')), { id: 'a', end: 9_999_999, here: 1300 })
    assert.equal(open(path, 1300 + 24 * 3600 + 1).get(id('a')), undefined)
  })
})
