import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { parseAddress } from '../packet/address.ts'
import { port } from '../units.ts'
import { KeptFiles, type KeptKnock, MOST_KNOCKS, readArgv } from './kept-files.ts'
import { fillIn } from './program.ts'
import { isToken, LaunchSecret, makeToken } from './token.ts'

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'ghostport-kept-'))
  t.after(() => rmSync(path, { recursive: true }))
  return path
}

test('a secret for one use', () => {
  const launch = new LaunchSecret()
  assert.equal(launch.use(''), false)
  assert.equal(launch.use(makeToken()), false)
  assert.equal(launch.use(launch.secret), true)
  assert.equal(launch.use(launch.secret), false)
})

test('a token is no other text', () => {
  const token = makeToken()
  assert.match(token, /^[A-Za-z0-9_-]{43}$/)
  for (const given of [undefined, '', `${token}A`, token.slice(1), makeToken()])
    assert.equal(isToken(given, token), false)
  assert.equal(isToken(token, token), true)
})

test('what is filled in begins no option', () => {
  const [six] = ['2001:db8::1'].map(parseAddress)
  assert.ok(six?.ok)
  const filled = fillIn(['ssh', '-p', '{port}', 'ada@{address}', '{addres}', '{port}{port}'], {
    address: six.value,
    port: port(22),
  })
  assert.deepEqual(filled, ['ssh', '-p', '22', 'ada@2001:db8::1', '{addres}', '2222'])
})

test('words of a program hide nothing', () => {
  for (const word of ['a\nb', '\u001b[2J', 'a\0b', 'x'.repeat(2000), 3]) assert.equal(readArgv([word]), undefined)
  assert.deepEqual(readArgv(['a b', '', 'ö']), ['a b', '', 'ö'])
})

test('the history is bounded, and what somebody else wrote is told', (t) => {
  const path = folder(t)
  const kept = new KeptFiles(path)
  const knock = (at: number): KeptKnock => ({ at, stanza: 'a', server: 'b', outcome: 'sent' })
  writeFileSync(
    join(path, 'history.json'),
    JSON.stringify({ knocks: Array.from({ length: MOST_KNOCKS }, () => knock(1)) }),
  )
  assert.ok(kept.remember(knock(2)).ok)
  const history = kept.history()
  assert.ok(history.ok)
  assert.deepEqual([history.value.length, history.value[0]?.at, history.value[1]?.at], [MOST_KNOCKS, 2, 1])
  for (const text of ['{', '[]', '{"knocks":[{"at":"now"}]}']) {
    writeFileSync(join(path, 'history.json'), text)
    const read = kept.history()
    assert.equal(read.ok ? '' : read.failure.code, 'CONFIG_SYNTAX')
  }
  // It begins anew: a knock does not depend on it.
  assert.ok(kept.remember(knock(3)).ok)
})

test('a changed program is not agreed to any more', (t) => {
  const path = folder(t)
  const kept = new KeptFiles(path)
  assert.ok(kept.setProgram('Home', ['ssh', 'a']).ok && kept.agree('home', ['ssh', 'a']).ok)
  const agreed = kept.program('HOME')
  assert.deepEqual(agreed.ok && agreed.value?.agreed, ['ssh', 'a'])
  assert.ok(kept.setProgram('home', ['ssh', 'b']).ok)
  const changed = kept.program('home')
  assert.equal(changed.ok && changed.value?.agreed, undefined)
  assert.equal(JSON.parse(readFileSync(join(path, 'programs.json'), 'utf8')).programs.length, 1)
  assert.ok(kept.follow('home', undefined).ok)
  const gone = kept.program('home')
  assert.equal(gone.ok && gone.value, undefined)
})
