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

  it('are forgotten after their end, and taken no more if the clock goes back', async (t) => {
    const path = fileFor(t)
    const first = open(path)
    await first.add([{ id: id('a'), end: at(2000) }], at(1000))
    await first.close()
    const later = open(path, 10_000)
    assert.equal(later.get(id('a')), undefined)
    const back = open(path, 1000)
    assert.ok(!back.isNew(id('a'), at(2000)))
    assert.ok(back.isNew(id('b'), at(2001)))
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
})
