import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { must } from '../../../test/support/results.ts'
import type { Request } from '../../client/request.ts'
import { type IpAddress, parseAddress } from '../../packet/address.ts'
import { parseProtocolPorts } from '../../packet/protocol-port.ts'
import { parseUsername } from '../../packet/username.ts'
import { port } from '../../units.ts'
import type { SshConfig } from './ssh-config.ts'
import { choosePort, leadSsh } from './ssh-route.ts'

const ip = (text: string): IpAddress => must(parseAddress(text))
const common = { source: 'packet-source', username: must(parseUsername('ada')), timeOffset: 0 } as const
const access = (ports: string): Request => ({ ...common, kind: 'access', ports: must(parseProtocolPorts(ports)) })
const ghost: Request = {
  ...common,
  kind: 'localNatAccess',
  ports: must(parseProtocolPorts('tcp/80')),
  localPort: port(22),
}
const inner: Request = {
  ...common,
  kind: 'natAccess',
  ports: must(parseProtocolPorts('tcp/8022')),
  target: { host: ip('10.0.0.5'), port: port(2022) },
}

describe('the port for ssh', () => {
  const cases: [string, Request, wanted: number, named: boolean, number | RegExp][] = [
    ['22', access('tcp/22'), 22, false, 22],
    ['22 among others', access('tcp/443,tcp/22'), 22, false, 22],
    ['the one that opens', access('udp/53,tcp/2222'), 22, false, 2222],
    ['the user’s', access('tcp/22,tcp/2222'), 2222, true, 2222],
    ['the user’s, which does not open', access('tcp/22'), 2222, true, /port 2222, but the knock opens only tcp\/22/],
    ['the user’s 22, which does not open', access('tcp/2222'), 22, true, /port 22, but the knock opens only tcp\/2222/],
    ['the public one', ghost, 22, false, 80],
    ['the public one for the service’s', ghost, 22, true, 80],
    ['the public one, named', ghost, 80, true, 80],
    ['one that NAT does not lead to', ghost, 2222, true, /port 2222, but the knock forwards port 80 to port 22/],
    ['the inner host’s', inner, 2022, true, 8022],
    ['none', access('udp/53'), 22, false, /no TCP port/],
  ]
  for (const [name, request, wanted, named, expected] of cases)
    it(`is ${name}`, () => {
      const chosen = choosePort(request, { port: port(wanted), named })
      if (typeof expected === 'number') assert.deepEqual(chosen, { ok: true, value: expected })
      else {
        assert.ok(!chosen.ok && chosen.failure.code === 'CLI_USAGE')
        assert.match(chosen.failure.detail, expected)
      }
    })
})

describe('ssh is led to the address that opened', () => {
  const config = (more: Partial<SshConfig> = {}): SshConfig => ({
    hostname: 'srv',
    port: port(22),
    proxied: false,
    ...more,
  })
  const [a, b, six] = ['192.0.2.10', '192.0.2.11', '2001:db8::1']
  type Case = [
    name: string,
    host: string,
    config: SshConfig,
    server: string,
    at: number,
    addresses: string[],
    named: string[],
    words: string[],
  ]
  const cases: Case[] = [
    ['which is the only one', 'srv', config(), 'srv', 22, [a], [a], []],
    ['by its family', 'srv', config(), 'srv', 22, [six, a], [six, a], ['-4']],
    [
      'by itself, with the name for the host key',
      'SRV',
      config({ hostname: 'srv' }),
      'SRV',
      22,
      [six, b, a],
      [six, b, a],
      ['-o', `HostName=${a}`, '-o', 'HostKeyAlias=srv'],
    ],
    [
      'on another port, as known_hosts writes that',
      'srv',
      config(),
      'srv',
      2222,
      [b, a],
      [b, a],
      ['-o', `HostName=${a}`, '-o', 'HostKeyAlias=[srv]:2222'],
    ],
    [
      'and keeps the user’s own alias',
      'srv',
      config({ hostKeyAlias: 'mine' }),
      'srv',
      22,
      [b, a],
      [b, a],
      ['-o', `HostName=${a}`],
    ],
    ['by the server of the stanza', 'door', config({ hostname: 'door' }), 'srv', 22, [a], [a], ['-o', 'HostName=srv']],
    ['by the user’s HostName, where it is the same', 'door', config(), a, 22, [a], [a], []],
    [
      'and the user’s HostName is for the host key, where it is another',
      'door',
      config(),
      a,
      22,
      [a],
      [b],
      ['-o', `HostName=${a}`, '-o', 'HostKeyAlias=srv'],
    ],
    ['by a proxy of the user’s own way', 'door', config({ proxied: true }), a, 22, [a], [b], []],
  ]
  for (const [name, host, ssh, server, at, addresses, named, words] of cases)
    it(name, () => {
      const opened = { server, addresses: addresses.map(ip), address: ip(a), port: port(at) }
      assert.deepEqual(leadSsh(host, ssh, opened, named.map(ip)), words)
    })
})
