import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from './address.ts'
import { isPrivate } from './address-kinds.ts'

test('an address that never comes in from the Internet', () => {
  for (const [text, wanted] of [
    ['10.0.0.1', true],
    ['172.16.0.1', true],
    ['172.31.255.255', true],
    ['172.32.0.1', false],
    ['192.168.1.1', true],
    ['100.64.0.1', true],
    ['100.127.0.1', true],
    ['100.128.0.1', false],
    ['127.0.0.1', true],
    ['169.254.1.1', true],
    ['192.0.2.1', false],
    ['fd00::1', true],
    ['fe80::1', true],
    ['2001:db8::1', false],
  ] as const) {
    const address = parseAddress(text)
    assert.ok(address.ok)
    assert.equal(isPrivate(address.value), wanted, text)
  }
})
