import assert from 'node:assert/strict'
import { test } from 'node:test'
import { port, seconds, unixSeconds } from '../units.ts'
import { type IpAddress, parseAddress } from './address.ts'
import type { MessageFields } from './fields.ts'
import type { Message } from './message.ts'
import { encodeMessage, parseMessage } from './message-fields.ts'
import type { StrictnessRule } from './strictness.ts'
import { parseUsername } from './username.ts'

const FIELDS: MessageFields = {
  randVal: '1234567890123456',
  username: 'alice',
  timestamp: 1795410748,
  version: '3.0.0',
  messageType: 1,
  message: '10.1.2.3,tcp/22',
  natAccess: null,
  serverAuth: null,
  clientTimeout: 0,
}
const username = parseUsername('alice')
assert.ok(username.ok)
const HEADER = {
  random: FIELDS.randVal,
  username: username.value,
  timestamp: unixSeconds(FIELDS.timestamp),
  version: '3.0.0',
  source: address('10.1.2.3'),
}
const SSH = { protocol: 'tcp', port: port(22) } as const
const WEB = { protocol: 'tcp', port: port(80) } as const

const readable: [what: string, fields: Partial<MessageFields>, message: Message][] = [
  ['access', {}, { kind: 'access', ...HEADER, ports: [SSH] }],
  [
    'access with a timeout',
    { messageType: 3, clientTimeout: 90 },
    { kind: 'access', ...HEADER, ports: [SSH], timeout: seconds(90) },
  ],
  [
    'access for where the packet comes from',
    { message: '0.0.0.0,tcp/22,tcp/80' },
    { kind: 'access', ...HEADER, source: 'packet-source', ports: [SSH, WEB] },
  ],
  [
    'access for an IPv6 address',
    { message: '2001:db8::1,tcp/22' },
    { kind: 'access', ...HEADER, source: address('2001:db8::1'), ports: [SSH] },
  ],
  [
    'a command with commas, and the relic',
    { messageType: 0, message: '10.1.2.3,echo a,b:c', serverAuth: 'crypt,x' },
    { kind: 'command', ...HEADER, command: 'echo a,b:c', serverAuth: 'crypt,x' },
  ],
  ['a closing knock', { messageType: 90 }, { kind: 'close', ...HEADER, ports: [SSH] }],
  [
    'a closing knock for all ports, where the packet comes from',
    { messageType: 90, message: '0.0.0.0,all' },
    { kind: 'close', ...HEADER, source: 'packet-source', ports: [] },
  ],
  [
    'NAT to an address',
    { messageType: 2, natAccess: '192.168.10.5,2222' },
    { kind: 'natAccess', ...HEADER, ports: [SSH], target: { host: address('192.168.10.5'), port: port(2222) } },
  ],
  [
    'NAT to an IPv6 address',
    { messageType: 2, natAccess: '2001:db8::5,22' },
    { kind: 'natAccess', ...HEADER, ports: [SSH], target: { host: address('2001:db8::5'), port: port(22) } },
  ],
  [
    'NAT to a name, with a timeout',
    { messageType: 4, natAccess: 'inner.example,22', clientTimeout: 30 },
    {
      kind: 'natAccess',
      ...HEADER,
      ports: [SSH],
      timeout: seconds(30),
      target: { host: { name: 'inner.example' }, port: port(22) },
    },
  ],
  [
    'a ghost service: port 80 leads to 22',
    { messageType: 5, message: '10.1.2.3,tcp/80', natAccess: 'spa.example,22' },
    { kind: 'localNatAccess', ...HEADER, ports: [WEB], localPort: port(22), host: 'spa.example' },
  ],
  [
    'the same from 1.9.12, which says it the other way round',
    { version: '1.9.12', messageType: 6, natAccess: '127.0.0.1,80', clientTimeout: 30 },
    {
      kind: 'localNatAccess',
      ...HEADER,
      version: '1.9.12',
      ports: [WEB],
      localPort: port(22),
      host: '127.0.0.1',
      timeout: seconds(30),
    },
  ],
  [
    'forwarding from 1.9.12, whose ports are the other way round too',
    { version: '1.9.12', messageType: 2, natAccess: '192.168.10.5,55000' },
    {
      kind: 'natAccess',
      ...HEADER,
      version: '1.9.12',
      ports: [{ protocol: 'tcp', port: port(55000) }],
      target: { host: address('192.168.10.5'), port: port(22) },
    },
  ],
]
for (const [what, fields, message] of readable) {
  test(`${what}: read, and written again`, () => {
    const parsed = parseMessage({ ...FIELDS, ...fields })
    assert.ok(parsed.ok, JSON.stringify(parsed))
    assert.deepEqual(parsed.value, message)
    const { version, ...outgoing } = message
    assert.deepEqual(encodeMessage(outgoing, version), { ...FIELDS, ...fields })
  })
}

test('a timeout of 0 is no wish', () => {
  const parsed = parseMessage({ ...FIELDS, messageType: 3 })
  assert.ok(parsed.ok)
  assert.deepEqual(parsed.value, { kind: 'access', ...HEADER, ports: [SSH] })
})

const refused: [fields: Partial<MessageFields>, rule?: StrictnessRule][] = [
  [{ username: 'a:b' }],
  [{ username: 'u'.repeat(49) }],
  [{ message: '10.1.2.3' }],
  [{ message: '10.1.2.3,' }],
  [{ messageType: 90, message: '10.1.2.3,' }],
  [{ messageType: 90, message: '10.1.2.3,ALL' }],
  [{ messageType: 90, message: '10.1.2.3,all,tcp/22' }],
  [{ messageType: 1, message: '10.1.2.3,all' }],
  [{ message: ',tcp/22' }],
  [{ message: '10.1.2,tcp/22' }],
  [{ message: '10.1.2.3/8,tcp/22' }],
  [{ message: ' 10.1.2.3,tcp/22' }],
  [{ message: 'spa.example,tcp/22' }],
  [{ message: '10.1.2.256,tcp/22' }, 'address-spelling'],
  [{ message: '010.001.002.003,tcp/22' }, 'address-spelling'],
  [{ message: '::,tcp/22' }],
  [{ message: '2001:DB8::1,tcp/22' }],
  [{ message: '2001:db8:0::1,tcp/22' }],
  [{ message: '::ffff:10.1.2.3,tcp/22' }],
  [{ message: '[2001:db8::1],tcp/22' }],
  [{ message: 'fe80::1%eth0,tcp/22' }],
  [{ message: '10.1.2.3,tcp/0' }],
  [{ message: '10.1.2.3,tcp/22,' }],
  [{ message: '10.1.2.3,tcp/22\n' }],
  [{ messageType: 0, message: '10.1.2.3,' }],
  [{ messageType: 2 }],
  [{ messageType: 2, natAccess: '192.168.10.5' }],
  [{ messageType: 2, natAccess: '192.168.10.5,22,23' }],
  [{ messageType: 2, natAccess: '192.168.10.5,0' }],
  [{ messageType: 2, natAccess: ',22' }],
  [{ messageType: 2, natAccess: 'a b,22' }],
  [{ messageType: 2, natAccess: 'a/b,22' }],
  [{ messageType: 2, natAccess: '10.0.1,22' }, 'host-name'],
  [{ messageType: 2, natAccess: `${'a'.repeat(71)},22` }],
  [{ messageType: 5, natAccess: `a'b,22` }],
]
for (const [fields, rule] of refused) {
  test(`${JSON.stringify(fields)} is refused`, () => {
    const parsed = parseMessage({ ...FIELDS, ...fields })
    assert.ok(!parsed.ok)
    assert.equal(parsed.failure.code, 'SPA_FIELD_INVALID')
    assert.equal(parsed.failure.rule, rule)
  })
}

function address(text: string): IpAddress {
  const parsed = parseAddress(text)
  assert.ok(parsed.ok)
  return parsed.value
}
