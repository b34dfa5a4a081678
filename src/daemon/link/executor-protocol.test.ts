import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseFromExecutor, parseToExecutor } from './executor-protocol.ts'

const rule = 'A'.repeat(43)
const facts = { source: '10.0.0.1', packetSource: '10.0.0.2', username: 'ada', stanza: 'phone' }
const port = { protocol: 'tcp', port: 22, nat: { host: '10.0.0.5', port: 8022 } }
const command = { type: 'command', job: 1, rule, command: 'echo hi', facts }
const cycle = { type: 'cycle', job: 2, rule, facts: { ...facts, seconds: 30, port } }
const closeNow = { type: 'close now', order: 1, stanzas: ['ada', '3'], source: '2001:db8::1' }

test('a job comes out as it went in', () => {
  for (const job of [command, cycle, closeNow, { type: 'configure' }, { ...command, facts: { ...facts, stanza: '3' } }])
    assert.deepEqual(parseToExecutor(job), { ok: true, value: job })
})

const refused: [what: string, job: object][] = [
  ['a program', { ...command, program: '/bin/sh' }],
  ['a user', { ...command, runAs: { user: 'root' } }],
  ['no rule', { ...command, rule: 'x' }],
  ['a command with NUL', { ...command, command: 'a\0b' }],
  ['a command that no packet can hold', { ...command, command: 'x'.repeat(193) }],
  ['a source that is no address', { ...command, facts: { ...facts, source: '10.0.0.1 reboot' } }],
  ['a user name that no packet can hold', { ...command, facts: { ...facts, username: 'a"b' } }],
  ['a stanza that no stanza can be', { ...command, facts: { ...facts, stanza: '-rf /' } }],
  ['a port that is none', { ...cycle, facts: { ...cycle.facts, port: { ...port, port: 0 } } }],
  [
    'a NAT host that is a name',
    { ...cycle, facts: { ...cycle.facts, port: { ...port, nat: { host: 'x', port: 1 } } } },
  ],
  ['no time', { ...cycle, facts: { ...cycle.facts, seconds: 0 } }],
  ['an order to close for no address', { ...closeNow, source: 'everywhere' }],
  ['an order to close with a program', { ...closeNow, words: ['/bin/sh'] }],
  ['an order to close of many stanzas', { ...closeNow, stanzas: ['a', 'b', 'c'] }],
  ['more than a year', { ...cycle, facts: { ...cycle.facts, seconds: 31_536_001 } }],
]
for (const [what, job] of refused)
  test(`a job with ${what} is refused`, () => {
    const read = parseToExecutor(job)
    assert(!read.ok && read.failure.code === 'COMMANDS_UNAVAILABLE')
  })

test('no JSON makes a reader throw', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert(!parseToExecutor(value).ok)
      assert(!parseFromExecutor(value).ok)
    }),
  )
})
