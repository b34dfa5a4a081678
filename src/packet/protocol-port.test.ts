import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatProtocolPorts, parseProtocolPorts } from './protocol-port.ts'

const readable: [text: string, canonical: string][] = [
  ['tcp/22', 'tcp/22'],
  ['udp/65535', 'udp/65535'],
  ['tcp/00022', 'tcp/22'],
  ['tcp/22,udp/53,tcp/1', 'tcp/22,udp/53,tcp/1'],
]
for (const [text, canonical] of readable) {
  test(`${text} is ${canonical}`, () => {
    const ports = parseProtocolPorts(text)
    assert.ok(ports.ok)
    assert.equal(formatProtocolPorts(ports.value), canonical)
  })
}

const refused = [
  '',
  'tcp',
  '22',
  'tcp/',
  '/22',
  'tcp/0',
  'tcp/65536',
  'tcp/000022',
  'tcp/22,',
  ',tcp/22',
  'tcp/22,,udp/53',
]
for (const text of [
  ...refused,
  'TCP/22',
  'icmp/8',
  'none/0',
  'sctp/22',
  'tcpx/22',
  'tcp/22 ',
  'tcp/2-9',
  'tcp/+22',
  'tcp/22\n',
])
  test(`${JSON.stringify(text)} is none`, () => assert.equal(parseProtocolPorts(text).ok, false))
