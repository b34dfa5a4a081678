import assert from 'node:assert/strict'
import { test } from 'node:test'
import { must } from '../../../test/support/results.ts'
import { parseAddress } from '../../packet/address.ts'
import { KnownSigners } from './known-signers.ts'

const ip = (n: number) => must(parseAddress(`10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`))

test('a signer is known by its sources, and a source by its signers', () => {
  const known = new KnownSigners()
  known.remember(ip(1), 'ada')
  known.remember(ip(1), 'bob')
  known.remember(ip(2), 'bob')
  assert.deepEqual(known.at(ip(1)), ['ada', 'bob'])
  assert.deepEqual(known.at(ip(2)), ['bob'])
  assert.deepEqual(known.at(ip(3)), [])
})

test('a signer with many sources displaces only its own, the oldest first', () => {
  const known = new KnownSigners()
  known.remember(ip(1), 'ada')
  for (let n = 1; n <= 10_000; n++) known.remember(ip(n), 'mallory')
  assert.deepEqual(known.at(ip(1)), ['ada'])
  assert.deepEqual(known.at(ip(10_000)), ['mallory'])
  assert.deepEqual(known.at(ip(10_000 - 32)), [])
  assert(known.size < 40)
})

test('there is an end to the signers too', () => {
  const known = new KnownSigners()
  for (let n = 0; n < 3000; n++) known.remember(ip(n), `signer ${n}`)
  assert.equal(known.size, 2 * 1024)
  assert.deepEqual(known.at(ip(0)), [])
  assert.deepEqual(known.at(ip(2999)), ['signer 2999'])
})
