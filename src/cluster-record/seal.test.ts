/** Sealed records: the vector of docs/WIRE.md § 20, and what no changed or moved record does. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { encodeText } from '../bytes/text.ts'
import type { ClusterName } from '../config/server/cluster-settings.ts'
import {
  LONGEST_RECORD,
  parseRecordName,
  type RecordName,
  readSealed,
  recordId,
  type SealedRecord,
} from './record-name.ts'
import { type ClusterSecret, parseClusterSecret, recordSealer } from './seal.ts'

const wire = readFileSync(new URL('../../docs/WIRE.md', import.meta.url), 'utf8')
const [, plaintext = '', vector = ''] = /^record +(\{.*\})\nsealed +(\S+)$/m.exec(wire) ?? []

const secretOf = (bytes: readonly number[]): ClusterSecret => {
  const secret = parseClusterSecret(encodeText(Buffer.from(bytes).toString('base64')))
  assert.ok(secret.ok)
  return secret.value
}
const ours = secretOf(Array.from({ length: 32 }, (_, i) => i))
const named = (kind: RecordName['kind'], id: string): RecordName => {
  const read = recordId(id)
  assert.ok(read)
  return { kind, id: read }
}
const front = 'front' as ClusterName
const grant = named('grant', 'knock-1')
const nonce = () => Uint8Array.from({ length: 12 }, (_, i) => 0xa0 + i)

describe('a sealed record', () => {
  it('is that of docs/WIRE.md', () => {
    assert.equal(recordSealer(front, ours, nonce).seal(grant, encodeText(plaintext)), vector)
    assert.deepEqual(recordSealer(front, ours).open(grant, vector as SealedRecord), encodeText(plaintext))
  })

  it('opens under its own name, in its own cluster and with its own secret only', () => {
    const sealed = recordSealer(front, ours).seal(grant, encodeText('{}'))
    const opens = (secret: ClusterSecret, cluster: string, name: RecordName) =>
      recordSealer(cluster as ClusterName, secret).open(name, sealed) !== undefined
    assert.ok(opens(ours, 'front', grant))
    assert.ok(!opens(ours, 'back', grant))
    assert.ok(!opens(ours, 'front', named('grant', 'knock-2')))
    assert.ok(!opens(ours, 'front', named('revocation', 'knock-1')))
    assert.ok(!opens(secretOf(Array(32).fill(7)), 'front', grant))
  })

  it('does not open if a bit is changed, or a byte is missing', () => {
    const bytes = Buffer.from(vector, 'base64')
    const sealer = recordSealer(front, ours)
    for (let i = 0; i < bytes.length * 8; i++) {
      const changed = Buffer.from(bytes)
      changed[i >> 3] = (changed[i >> 3] ?? 0) ^ (1 << (i & 7))
      assert.equal(sealer.open(grant, changed.toString('base64') as SealedRecord), undefined, `bit ${i}`)
    }
    for (let length = 0; length < bytes.length; length++)
      assert.equal(sealer.open(grant, bytes.subarray(0, length).toString('base64') as SealedRecord), undefined)
  })

  it('has a nonce of its own each time, and a limit', () => {
    const sealer = recordSealer(front, ours)
    assert.notEqual(sealer.seal(grant, encodeText('{}')), sealer.seal(grant, encodeText('{}')))
    const longest = sealer.seal(grant, new Uint8Array(LONGEST_RECORD))
    assert.equal(readSealed(longest), longest)
    assert.throws(() => sealer.seal(grant, new Uint8Array(LONGEST_RECORD + 1)), RangeError)
    assert.equal(readSealed(`${longest}AAAA`), undefined)
    assert.equal(readSealed(vector.slice(0, -1)), undefined)
  })

  it('has a name of two or three words', () => {
    assert.deepEqual(parseRecordName('opened/knock-1/web-1'), named('opened', 'knock-1/web-1'))
    for (const wrong of ['grant', 'grant/', '/a', 'used/a', 'grant/a/b/c', 'grant/a b', `grant/${'a'.repeat(64)}`])
      assert.equal(parseRecordName(wrong), undefined, wrong)
  })
})

describe('the secret of a cluster', () => {
  it('is base64 of 32 to 64 bytes, and no text shows it', () => {
    for (const wrong of ['', 'no base64!', 'A'.repeat(43), `${'A'.repeat(40)}====`, 'A'.repeat(88 + 4)]) {
      const read = parseClusterSecret(encodeText(wrong))
      assert.ok(!read.ok)
      assert.equal(read.failure.code, 'KEY_INVALID')
      if (wrong !== '') assert.ok(!read.failure.detail.includes(wrong))
    }
    assert.ok(!`${inspect(ours)} ${JSON.stringify(ours)} ${ours}`.includes('AAEC'))
  })
})
