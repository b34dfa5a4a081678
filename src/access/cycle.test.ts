import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { IpAddress } from '../packet/address.ts'
import type { Username } from '../packet/message.ts'
import { parseUsername } from '../packet/username.ts'
import { port, seconds, unixSeconds } from '../units.ts'
import {
  type CycleFacts,
  fillTemplate,
  formatTemplate,
  judgeCycle,
  parseTemplate,
  personalValues,
  valuesOf,
} from './cycle.ts'
import { cyclePorts } from './cycle-ports.ts'

const facts: CycleFacts = {
  source: '203.0.113.7' as IpAddress,
  packetSource: '203.0.113.9' as IpAddress,
  packetDestination: '192.0.2.1' as IpAddress,
  username: 'ada' as Username,
  stanza: '3',
  port: { protocol: 'udp', port: port(60_000), nat: { host: '10.0.0.5' as IpAddress, port: port(53) } },
  seconds: seconds(30),
}

function words(text: string, change: Partial<CycleFacts> = {}) {
  const template = parseTemplate(text)
  assert(template.ok, template.ok ? '' : template.failure.detail)
  return fillTemplate(template.value, valuesOf({ ...facts, ...change }, unixSeconds(1_800_000_030)))
}

const cases: [text: string, made: readonly string[]][] = [
  ['/bin/x $IP $SRC $PKT_SRC $DST', ['/bin/x', '203.0.113.7', '203.0.113.7', '203.0.113.9', '192.0.2.1']],
  ['x $PROTO $PROTOCOL $PORT', ['x', '17', 'udp', '60000']],
  ['x $NAT_HOST:$NAT_PORT', ['x', '10.0.0.5:53']],
  ['x $TIMEOUT $CLIENT_TIMEOUT', ['x', '1800000030', '30']],
  ['x $USER@$STANZA', ['x', 'ada@3']],
  ['x $PROTOTEST \u0024{PORT}0 a$SRC', ['x', '17TEST', '600000', 'a203.0.113.7']],
  ['x $ $5 $$ a$', ['x', '$', '$5', '$$', 'a$']],
]
for (const [text, made] of cases)
  test(`“${text}” is filled in`, () => {
    assert.deepEqual(words(text), { ok: true, value: made })
  })

for (const text of ['', '  ', '$SRC x', 'x $NO', 'x $port', 'x \u0024{PORT', 'x \u0024{}', 'x $_'])
  test(`“${text}” is no command of a cycle`, () => {
    const parsed = parseTemplate(text)
    assert(!parsed.ok && parsed.failure.code === 'CONFIG_INVALID_VALUE')
  })

test('a command is shown as it was written', () => {
  const template = parseTemplate('/bin/x  $SRC:$PORT\tend')
  assert(template.ok)
  assert.equal(formatTemplate(template.value), '/bin/x $SRC:$PORT end')
})

test('a value is one word, and nothing in it is filled in or split again', () => {
  for (const name of ['a b', '$PORT', "x' y", '{a}', '(`id`)', '$(id)', '%s & !', '#']) {
    const username = name as Username
    assert.deepEqual(words('x $USER y', { username }), { ok: true, value: ['x', name, 'y'] })
  }
})

test('a value that would begin a word like an option is refused, and elsewhere it is text', () => {
  const option = words('x $USER', { username: '-rf' as Username })
  assert(!option.ok && option.failure.code === 'ACCESS_REQUEST_INVALID')
  assert.deepEqual(words('x --user=$USER', { username: '-rf' as Username }), { ok: true, value: ['x', '--user=-rf'] })
})

test('commands say whom they are for, beyond client and port, where their words do', () => {
  const [open, close] = [parseTemplate('x $SRC $PORT $TIMEOUT'), parseTemplate('x a$USER $STANZA')]
  assert(open.ok && close.ok)
  const rule = { open: open.value, timer: seconds(1), runAs: {} }
  assert.deepEqual(personalValues(rule, facts), [])
  assert.deepEqual(personalValues({ ...rule, close: close.value }, facts), ['USER', 'ada', 'STANZA', '3'])
})

test('a value that the request does not have makes no command, in the close too', () => {
  const [open, close] = [parseTemplate('x $PORT'), parseTemplate('x $NAT_HOST')]
  assert(open.ok && close.ok)
  const rule = { open: open.value, close: close.value, timer: seconds(1), runAs: {} }
  const plain = { ...facts, port: { protocol: 'tcp', port: port(22) } } as const
  assert(judgeCycle(rule, facts).ok)
  assert(!judgeCycle(rule, plain).ok)
  assert(judgeCycle({ ...rule, close: open.value }, plain).ok)
})

test('a destination that is not known is 0.0.0.0, as in fwknopd', () => {
  const { packetDestination: _, ...without } = facts
  const template = parseTemplate('x $DST')
  assert(template.ok)
  assert.deepEqual(fillTemplate(template.value, valuesOf(without, unixSeconds(1))), {
    ok: true,
    value: ['x', '0.0.0.0'],
  })
})

test('a command has at most 255 characters, as in fwknopd', () => {
  assert(parseTemplate(`x ${'a'.repeat(253)}`).ok)
  assert(!parseTemplate(`x ${'a'.repeat(254)}`).ok)
})

test('no text makes the reader throw, and the number of words never depends on the request', () => {
  const pieces = fc
    .array(fc.constantFrom('$USER', '$PORT', '\u0024{SRC}', 'x', ' ', '$', '{', '-', '$STANZA'))
    .map((it) => `p ${it.join('')}`)
  const names = fc
    .string()
    .filter((name) => parseUsername(name).ok)
    .map((name) => name as Username)
  fc.assert(
    fc.property(fc.oneof(fc.string(), pieces), names, (text, username) => {
      const template = parseTemplate(text)
      if (!template.ok) return
      const filled = fillTemplate(template.value, valuesOf({ ...facts, username }, unixSeconds(1)))
      if (filled.ok) assert.equal(filled.value.length, template.value.length)
    }),
  )
})

test('each kind of opening has its port, and NAT its target', () => {
  const source = facts.source
  const [publicPort, localPort] = [port(443), port(22)]
  const target = { address: '10.0.0.5' as IpAddress, port: port(8443) }
  assert.deepEqual(
    cyclePorts(
      [
        { kind: 'access', protocol: 'tcp', port: localPort },
        { kind: 'ghost', protocol: 'tcp', publicPort, localPort },
        { kind: 'forward', protocol: 'tcp', publicPort, target, translation: 'none' },
      ],
      source,
    ),
    [
      { protocol: 'tcp', port: 22 },
      { protocol: 'tcp', port: 443, nat: { host: '127.0.0.1', port: 22 } },
      { protocol: 'tcp', port: 443, nat: { host: '10.0.0.5', port: 8443 } },
    ],
  )
})
