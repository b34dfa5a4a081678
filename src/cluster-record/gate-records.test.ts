/** Two versions of ghostport in one cluster: what one does not know, the other does not guess (docs/WIRE.md § 20). */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Reader } from '../json-reader.ts'
import { readGrantRecord, readNodeRecord, readOpenedRecord, readRevocationRecord } from './gate-records.ts'

const grant = {
  ...{ v: 1, name: 'ada', user: 'ada', source: '192.0.2.1', from: '192.0.2.1', ports: [{ protocol: 'tcp', port: 22 }] },
  ...{ made: 1_800_000_000, end: 1_800_000_060, gates: ['web-*'], node: 'web-1' },
}

describe('a record of another version', () => {
  for (const [what, read, value] of [
    ['grant', readGrantRecord, grant],
    ['revocation', readRevocationRecord, { v: 1, end: 1_800_000_060, node: 'web-1', how: 'revoke' }],
    ['opened', readOpenedRecord, { v: 1, until: 1_800_000_060 }],
    ['refused', readOpenedRecord, { v: 1, refused: 'ACCESS_PORT_DENIED' }],
    ['closed', readOpenedRecord, { v: 1, closed: 1_800_000_000 }],
    ['node', readNodeRecord, { v: 1, seen: 1_800_000_000 }],
  ] as readonly [string, Reader<unknown>, object][])
    it(`is none, and so is one with a field that is not known: ${what}`, () => {
      assert.ok(read(value))
      assert.equal(read({ ...value, v: 2 }), undefined)
      assert.equal(read({ ...value, priority: 1 }), undefined)
    })
})
