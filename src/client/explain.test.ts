import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Transport } from '../config/client/layer.ts'
import { type IpAddress, parseAddress } from '../packet/address.ts'
import { parseProtocolPorts } from '../packet/protocol-port.ts'
import { parseUsername } from '../packet/username.ts'
import { ok } from '../result.ts'
import { milliseconds, port, unixSeconds } from '../units.ts'
import { type Circumstances, explainShutDoor } from './explain.ts'

const address = (text: string): IpAddress => {
  const parsed = parseAddress(text)
  assert.ok(parsed.ok)
  return parsed.value
}
const server = address('192.0.2.10')
const username = parseUsername('ada')
const ports = parseProtocolPorts('tcp/22')
assert.ok(username.ok && ports.ok)
const request = {
  kind: 'access',
  source: address('192.0.2.1'),
  username: username.value,
  timeOffset: 0,
  ports: ports.value,
} as const
const header = { random: '0123456789012345', timestamp: unixSeconds(1_795_410_748) }
const sent = {
  address: server,
  port: port(62_201),
  message: { ...request, ...header },
  text: '',
  departure: ok({ localAddress: address('10.0.0.1'), at: 0 }),
}
function causes(more: Partial<Circumstances> & { readonly transport?: Transport }): string {
  const shut = explainShutDoor({
    door: { addresses: [server], port: port(22), sign: 'connect' },
    seen: { open: false, attempts: 9, seen: [{ address: server, refused: 0, mute: 0, errors: [] }] },
    limit: milliseconds(5_000),
    request,
    sent: [sent],
    now: unixSeconds(1_795_410_748),
    ...more,
  })
  return shut.causes.join('\n')
}

describe('why a port stayed shut, by the way of the packet', () => {
  const table: readonly (readonly [string, Parameters<typeof causes>[0], readonly RegExp[], readonly RegExp[]])[] = [
    ['UDP', {}, [/drops UDP port 62201/, /sends from 10\.0\.0\.1/], [/ENABLE_|PCAP_FILTER|spoofed|proxy/]],
    ['TCP', { transport: 'tcp' }, [/no TCP server on port 62201 \(ENABLE_TCP_SERVER/], [/drops/]],
    ['HTTP', { transport: 'http' }, [/ENABLE_SPA_OVER_HTTP/, /drops TCP port 62201/], [/The proxy/]],
    ['a proxy', { transport: 'http', proxied: true }, [/The proxy did not pass/], [/drops|sends from/]],
    ['HTTPS', { transport: 'https' }, [/web server that ends TLS did not pass/], [/The proxy/]],
    ['raw TCP', { transport: 'tcpraw' }, [/come by tcpraw \(PCAP_FILTER/], [/source address is not one/]],
    ['ICMP', { transport: 'icmp' }, [/drops ICMP\./, /PCAP_FILTER/], [/port 62201/]],
    ['a spoofed source', { transport: 'udpraw', spoofed: true }, [/most providers do/], [/sends from|PCAP_FILTER/]],
    [
      'a spoofed source that is to be opened for',
      { transport: 'udpraw', spoofed: true, request: { ...request, source: 'packet-source' } },
      [/its source address, which is spoofed: name yours with --allow-ip/],
      [],
    ],
    [
      'a proxy whose address would be opened for',
      { transport: 'http', proxied: true, request: { ...request, source: 'packet-source' } },
      [/from the address of the proxy: name yours with --allow-ip/],
      [],
    ],
  ]
  for (const [name, circumstances, told, silent] of table)
    it(name, () => {
      const text = causes(circumstances)
      for (const pattern of told) assert.match(text, pattern)
      for (const pattern of silent) assert.doesNotMatch(text, pattern)
    })
})
