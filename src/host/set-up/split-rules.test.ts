import assert from 'node:assert/strict'
import { it } from 'node:test'
import { comparable, splitRules } from './split-rules.ts'

const OURS = 'table inet ghostport {\n\tchain gate {\n\t}\n}\n'
const HOST = 'table inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy drop;\n\t}\n}\n'
const COMPAT =
  'table ip filter {\n\tchain INPUT {\n\t\ttype filter hook input priority filter; policy accept;\n\t\tcounter packets 1 bytes 2 # xt target\n\t}\n}\n'
const BY_HAND =
  'table ip filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy accept;\n\t}\n}\n'
const OWNED = 'table inet firewalld { # progname firewalld\n\tflags owner,persist\n\n\tchain x {\n\t}\n}\n'

it('our own table is left out, and tables of iptables are loaded by iptables', () => {
  assert.deepEqual(splitRules(HOST + OURS + COMPAT + COMPAT.replace('ip', 'ip6'), 'ghostport'), {
    text: HOST,
    iptables: ['ip', 'ip6'],
  })
})
it('a table of that name that was written by hand is loaded by nft', () => {
  assert.deepEqual(splitRules(BY_HAND, 'ghostport'), { text: BY_HAND, iptables: [] })
})
it('an owned table gets no owner', () => {
  assert.equal(splitRules(OWNED, 'ghostport').text, OWNED.replace('\tflags owner,persist\n', ''))
})
it('a comment before the first table is left out', () => {
  assert.equal(splitRules(`# Warning: managed by iptables-nft\n${HOST}`, 'ghostport').text, HOST)
})
it('counters and ends do not count in a comparison', () => {
  const one = 'a packets 1 bytes 2 b expires 1m2s\n# Generated on Monday\n:INPUT DROP [5:6]\n'
  const other = 'a packets 3 bytes 4 b expires 59s\n# Generated on Tuesday\n:INPUT DROP [7:8]\n'
  assert.equal(comparable(one), comparable(other))
  assert.notEqual(comparable(one), comparable(one.replace('DROP', 'ACCEPT')))
})
