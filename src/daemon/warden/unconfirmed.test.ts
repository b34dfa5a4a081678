import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { type Grant, grantId, type Opening } from '../../access/grant.ts'
import type { StanzaId } from '../../access/stanza.ts'
import type { StanzaName } from '../../access/stanza-name.ts'
import type { IpAddress } from '../../packet/address.ts'
import type { Username } from '../../packet/message.ts'
import { port, seconds } from '../../units.ts'
import { type Begun, Unconfirmed } from './unconfirmed.ts'

const folder = mkdtempSync(join(tmpdir(), 'ghostport-unconfirmed-'))
chmodSync(folder, 0o700)
after(() => rmSync(folder, { recursive: true }))
let count = 0
const newPath = () => join(folder, `revocations-${++count}`)

function begun(word: string): Begun {
  const source = '192.0.2.1' as IpAddress
  const openings: readonly Opening[] = [{ kind: 'access', protocol: 'tcp', port: port(22) }]
  const grant: Grant = {
    ...{ id: grantId(source, openings), stanza: 3 as StanzaId, stanzaName: 'ada' as StanzaName, source },
    ...{ firstHand: true, openings, lifetime: seconds(30), username: "o'ada" as Username },
  }
  return { word, grants: [grant] }
}

test('what had begun is found by the next process, and only while it is not confirmed', () => {
  const path = newPath()
  const [one, two] = [begun('ada'), begun('192.0.2.1')]
  const killed = new Unconfirmed(path)
  assert.equal(killed.begin(one), undefined)
  assert.equal(killed.begin(two), undefined)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.deepEqual(new Unconfirmed(path).left(), [one, two])
  killed.end(one)
  assert.deepEqual(new Unconfirmed(path).left(), [two])
  killed.end(two)
  assert.equal(existsSync(path), false)
  assert.deepEqual(new Unconfirmed(path).left(), [])
})

test('the next process takes the file over: each goes when it is done, and no other with it', () => {
  const path = newPath()
  const killed = new Unconfirmed(path)
  killed.begin(begun('ada'))
  killed.begin(begun('bob'))
  const next = new Unconfirmed(path)
  const left = next.left()
  assert.ok(typeof left !== 'string')
  const [one, two] = left
  assert.ok(one && two)
  // It is revoked as always, which begins and ends by itself.
  const again = begun('ada')
  next.begin(again)
  next.end(again)
  next.end(one)
  assert.deepEqual(new Unconfirmed(path).left(), [two])
  next.end(two)
  assert.equal(existsSync(path), false)
})

test('a file that cannot be written or read is told, and nothing throws', () => {
  const inner = join(folder, 'open')
  new Unconfirmed(join(inner, 'file')).begin(begun('ada'))
  chmodSync(inner, 0o777)
  assert.match(new Unconfirmed(join(inner, 'file')).begin(begun('ada')) ?? '', /open/)
  assert.equal(typeof new Unconfirmed(join(inner, 'file')).left(), 'string')
  assert.deepEqual(new Unconfirmed(undefined).left(), [])
})

test('no content makes the reader throw', () => {
  const path = newPath()
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.json().map((one) => `[{"word":"a","grants":[${one}]}]`),
      ),
      (text) => {
        writeFileSync(path, text, { mode: 0o600 })
        new Unconfirmed(path).left()
      },
    ),
    { numRuns: 300 },
  )
})
