import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostRules, USUAL_CHAINS } from '../host/host-rules.ts'
import { DEFAULT_MARK, parseConnectionMark, parseTableName } from './settings.ts'

test('a table has a name that nothing else can be read into', () => {
  for (const name of ['ghostport', 'a', 'Spa-2_x', 'a'.repeat(31)]) assert.ok(parseTableName(name).ok, name)
  for (const name of ['', '2a', '-a', 'a b', 'a;b', 'a\n', 'ä', 'a{', 'a'.repeat(32), 'inet.x']) {
    const result = parseTableName(name)
    assert.equal(result.ok ? 'ok' : result.failure.code, 'VALUE_INVALID', name)
  }
})

test('a mark is 32 bits, one at least', () => {
  for (const [text, value] of [
    ['0x200000', 0x200000],
    ['1', 1],
    ['0xFFFFFFFF', 0xffff_ffff],
    ['4294967295', 0xffff_ffff],
  ] as const) {
    assert.deepEqual(parseConnectionMark(text), { ok: true, value })
  }
  for (const text of ['', '0', '0x0', '-1', '0x', '0x100000000', '4294967296', '1 ', '1e3', '0b1', '0x2/0x2']) {
    const result = parseConnectionMark(text)
    assert.equal(result.ok ? 'ok' : result.failure.code, 'VALUE_INVALID', text)
  }
})

test('the rule of each host, word for word', () => {
  const lines = (host: Parameters<typeof hostRules>[0]): readonly string[] =>
    hostRules(host, DEFAULT_MARK).flatMap((rule) => rule.lines)
  assert.deepEqual(lines({ kind: 'nft', chains: USUAL_CHAINS }), [
    'nft insert rule inet filter input ct mark and 0x200000 == 0x200000 accept',
    'nft insert rule inet filter forward ct mark and 0x200000 == 0x200000 accept',
  ])
  assert.deepEqual(lines({ kind: 'iptables' }), [
    'iptables -I INPUT 1 -m connmark --mark 0x200000/0x200000 -j ACCEPT',
    'iptables -I FORWARD 1 -m connmark --mark 0x200000/0x200000 -j ACCEPT',
    'ip6tables -I INPUT 1 -m connmark --mark 0x200000/0x200000 -j ACCEPT',
    'ip6tables -I FORWARD 1 -m connmark --mark 0x200000/0x200000 -j ACCEPT',
  ])
  assert.deepEqual(lines({ kind: 'ufw' }), [
    '-A ufw-before-input -m connmark --mark 0x200000/0x200000 -j ACCEPT',
    '-A ufw-before-forward -m connmark --mark 0x200000/0x200000 -j ACCEPT',
    '-A ufw6-before-input -m connmark --mark 0x200000/0x200000 -j ACCEPT',
    '-A ufw6-before-forward -m connmark --mark 0x200000/0x200000 -j ACCEPT',
  ])
  assert.deepEqual(lines({ kind: 'firewalld' }), [
    'nft insert rule inet firewalld filter_INPUT ct mark and 0x200000 == 0x200000 accept',
    'nft insert rule inet firewalld filter_FORWARD ct mark and 0x200000 == 0x200000 accept',
  ])
})
