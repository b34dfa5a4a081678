import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { RcBook } from './rc-book.ts'

const SECRET = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='
const FILE = `[ada]
FLEET
NODE_SECRET_BASE64  ${SECRET}
ACCESS              tcp/22
ALLOW_IP            source

[web-1]
FLEET               ada
NODE                web-1
SPA_SERVER          192.0.2.1
`

function book(t: TestContext): { book: RcBook; revision: () => string; text: () => string } {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-book-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'rc')
  writeFileSync(file, FILE, { mode: 0o600 })
  const opened = new RcBook(file)
  const revision = (): string => {
    const shown = opened.shown()
    assert.ok(shown.ok)
    return shown.value.revision
  }
  return { book: opened, revision, text: () => readFileSync(file, 'utf8') }
}

test('a fleet is shown without its secret, and its nodes as servers', (t) => {
  const shown = book(t).book.shown()
  assert.ok(shown.ok)
  assert.ok(!JSON.stringify(shown.value).includes(SECRET.slice(0, 8)))
  assert.deepEqual(
    shown.value.stanzas.map(({ name, summary, problem }) => [name, summary, problem]),
    [
      ['ada', 'a fleet: web-1', undefined],
      ['web-1', 'tcp/22 at 192.0.2.1', undefined],
    ],
  )
})

test('an export of a node has its own keys, and no secret', (t) => {
  const written = book(t).book.written('web-1')
  assert.ok(written.ok)
  const names = written.value.map(({ name }) => name)
  assert.deepEqual(names, ['ACCESS', 'ALLOW_IP', 'SPA_SERVER', 'KEY_BASE64', 'HMAC_KEY_BASE64'])
})

test('a fleet gets another name, and its nodes follow', (t) => {
  const { book: opened, revision, text } = book(t)
  const settings = [{ name: 'FLEET', value: '' }]
  const changed = opened.change({ revision: revision(), name: 'ada', rename: 'grace', settings })
  assert.ok(changed.ok, JSON.stringify(changed))
  assert.match(text(), /^\[grace\]\nFLEET\nNODE_SECRET_BASE64 [\s\S]*\[web-1\]\nFLEET +grace\nNODE/)
  assert.ok(opened.settings('web-1').ok)
})

test('a fleet that has nodes is not removed; a node is', (t) => {
  const { book: opened, revision, text } = book(t)
  const refused = opened.remove(revision(), 'ada')
  assert.ok(!refused.ok && /has the secret of \[web-1\]/.test(refused.failure.detail))
  assert.equal(text(), FILE)
  assert.ok(opened.remove(revision(), 'web-1').ok)
  assert.ok(opened.remove(revision(), 'ada').ok)
  assert.equal(text().trim(), '')
})
