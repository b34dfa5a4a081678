import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectionMarkValue, tableNameValue } from './firewall-settings.ts'

test('a table has a name that nothing else can be read into', () => {
  for (const name of ['ghostport', 'a', 'Spa_2x', 'a'.repeat(31)])
    assert.deepEqual(tableNameValue(name), { ok: true, value: name })
  const others = ['', '2a', '-a', '_a', 'a b', 'a;b', 'a\n', 'ä', 'a{', 'a'.repeat(32), 'inet.x']
  // nft would take this one; ghostport never did, in its file.
  for (const name of [...others, 'spa-2']) {
    const result = tableNameValue(name)
    assert.equal(result.ok ? 'ok' : result.failure.code, 'CONFIG_INVALID_VALUE', name)
  }
})

test('a mark is one bit of 32', () => {
  for (const [text, value] of [
    ['0x200000', 0x200000],
    ['1', 1],
    ['0X1', undefined],
    ['0x80000000', 0x8000_0000],
    ['2147483648', 0x8000_0000],
    ['0x00000004', 4],
  ] as const) {
    const result = connectionMarkValue(text)
    assert.equal(result.ok ? result.value : undefined, value, text)
  }
  const noNumbers = ['', '-1', '0x', '1 ', '1e3', '0b1', '0x2/0x2']
  const noBit = ['0', '0x0', '0x100000000', '4294967296']
  // The kernel would take several bits; then two servers could not tell their grants apart.
  const severalBits = ['3', '0x3', '0xFFFFFFFF', '4294967295', '0x80000001']
  for (const text of [...noNumbers, ...noBit, ...severalBits]) {
    const result = connectionMarkValue(text)
    assert.equal(result.ok ? 'ok' : result.failure.code, 'CONFIG_INVALID_VALUE', text)
  }
})
