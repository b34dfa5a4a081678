import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { must } from '../../test/support/results.ts'
import type { ClientSettings } from '../config/client/layer.ts'
import type { FailureCode } from '../failure-codes.ts'
import { parseAddress } from '../packet/address.ts'
import { parseProtocolPorts } from '../packet/protocol-port.ts'
import { parseUsername } from '../packet/username.ts'
import { refuse } from '../result.ts'
import { port, seconds, unixSeconds } from '../units.ts'
import { buildRequest, doorOf, messageFor, randomPort } from './request.ts'

const username = parseUsername('ada')
const access = (text: string) => must(parseProtocolPorts(text))
const address = (text: string) => must(parseAddress(text))
const base = { access: access('tcp/22'), allow: 'packet-source' } as const satisfies ClientSettings
const build = (settings: ClientSettings, random = 7, command?: string) =>
  buildRequest(settings, { username, random, ...(command === undefined ? {} : { command }) })

describe('a request', () => {
  const inner = { host: address('10.0.0.5') }
  const understood: [string, ClientSettings, object][] = [
    ['for ports', base, { kind: 'access', ports: access('tcp/22'), source: 'packet-source' }],
    ['for several', { ...base, access: access('tcp/22,udp/53') }, { kind: 'access', ports: access('tcp/22,udp/53') }],
    ['for a while', { ...base, timeout: seconds(30) }, { timeout: 30 }],
    ['for as long as the server likes', { ...base, timeout: seconds(0) }, { timeout: undefined }],
    ['for an address', { ...base, allow: address('fd00::1') }, { source: 'fd00::1' }],
    ['in another name', { ...base, username: must(parseUsername('bob')) }, { username: 'bob' }],
    [
      'to an inner host, on the same port',
      { ...base, natAccess: inner },
      { kind: 'natAccess', ports: access('tcp/22'), target: { host: '10.0.0.5', port: 22 } },
    ],
    [
      'to another port of it',
      { ...base, natAccess: { ...inner, port: port(2222) } },
      { ports: access('tcp/22'), target: { host: '10.0.0.5', port: 2222 } },
    ],
    [
      'through another public port',
      { ...base, natAccess: inner, natPort: port(80) },
      { ports: access('tcp/80'), target: { host: '10.0.0.5', port: 22 } },
    ],
    [
      'through another one, to a port of its own',
      { ...base, natAccess: { ...inner, port: port(33) }, natPort: port(80) },
      { ports: access('tcp/80'), target: { host: '10.0.0.5', port: 33 } },
    ],
    ['through a random one', { ...base, natAccess: inner, natRandomPort: true }, { ports: access('tcp/10007') }],
    [
      'for a ghost service',
      { ...base, natLocal: true, natPort: port(80) },
      { kind: 'localNatAccess', ports: access('tcp/80'), localPort: 22, host: undefined },
    ],
    ['for a ghost service on its own port', { ...base, natLocal: true }, { ports: access('tcp/22'), localPort: 22 }],
    [
      'for a ghost service at a named address',
      { ...base, natLocal: true, natAccess: { ...inner, port: port(33) } },
      { kind: 'localNatAccess', ports: access('tcp/22'), localPort: 33, host: '10.0.0.5' },
    ],
  ]
  for (const [name, settings, expected] of understood)
    it(name, () => {
      const request = must(build(settings)) as unknown as Record<string, unknown>
      for (const [field, value] of Object.entries(expected)) assert.deepEqual(request[field], value, field)
    })

  const refused: [string, ClientSettings, FailureCode, RegExp][] = [
    ['nothing to open', { allow: 'packet-source' }, 'CLI_USAGE', /--access tcp\/22/],
    [
      'nobody to open for',
      { access: access('tcp/22') },
      'CLI_USAGE',
      /--allow-ip ADDRESS \(-a\), --source-ip \(-s\) .*--resolve-ip-https \(-R\)/,
    ],
    [
      'a NAT port without NAT',
      { ...base, natPort: port(80) },
      'CONFIG_CONFLICT',
      /add --nat-access HOST \(-N\) or --nat-local/,
    ],
    [
      'a random NAT port without NAT',
      { ...base, natRandomPort: true },
      'CONFIG_CONFLICT',
      /add --nat-access HOST \(-N\) or --nat-local/,
    ],
    [
      'NAT of two ports',
      { ...base, access: access('tcp/22,tcp/23'), natLocal: true },
      'CONFIG_CONFLICT',
      /one port with --access/,
    ],
  ]
  for (const [name, settings, code, detail] of refused)
    it(`${name} is refused`, () => {
      const result = build(settings)
      assert.ok(!result.ok)
      assert.equal(result.failure.code, code)
      assert.match(result.failure.detail, detail)
    })

  it('a command goes alone', () => {
    assert.equal(must(build({ allow: 'packet-source' }, 0, 'uptime')).kind, 'command')
    const bytes = build({ allow: 'packet-source' }, 0, 'echo \udcfc')
    assert.equal(bytes.ok ? '' : bytes.failure.code, 'VALUE_INVALID')
    const both = build(base, 0, 'uptime')
    assert.ok(!both.ok && both.failure.code === 'CLI_USAGE')
  })
  it('a user name that cannot be sent is refused, unless another is given', () => {
    const unsendable = { username: refuse('VALUE_INVALID', 'no'), random: 0 }
    const result = buildRequest(base, unsendable)
    assert.ok(!result.ok && result.failure.suggestion === '--spoof-user NAME')
    assert.ok(buildRequest({ ...base, username: must(username) }, unsendable).ok)
  })
  it('random ports are fwknop’s: 10000 to 65534', () => {
    assert.deepEqual([0, 55_534, 55_535, 65_535].map(randomPort), [10_000, 65_534, 10_000, 20_000])
  })
})

describe('the message of a packet', () => {
  const context = { destination: '203.0.113.7', random: '0123456789012345', now: unixSeconds(1_000) }
  it('carries the time, shifted as asked', () => {
    assert.equal(messageFor(must(build({ ...base, timeOffset: -60 })), context).timestamp, 940)
    assert.equal(messageFor(must(build({ ...base, timeOffset: -60_000 })), context).timestamp, 0)
  })
  it('names the address that it is sent to as the host of a ghost service, and not the name that the user typed', () => {
    const message = messageFor(must(build({ ...base, natLocal: true })), context)
    assert.ok(message.kind === 'localNatAccess' && message.host === '203.0.113.7')
  })
  it('names the host of a ghost service that was given', () => {
    const host = { name: 'inner.example' }
    const message = messageFor(must(build({ ...base, natLocal: true, natAccess: { host } })), context)
    assert.ok(message.kind === 'localNatAccess' && message.host === 'inner.example')
  })
})

describe('the door to wait for', () => {
  const cases: [ClientSettings, object | undefined][] = [
    [base, { port: 22, throughNat: false }],
    [
      { ...base, access: access('udp/53,tcp/22') },
      { port: 22, throughNat: false },
    ],
    [{ ...base, access: access('udp/53') }, undefined],
    [
      { ...base, natLocal: true, natPort: port(80) },
      { port: 80, throughNat: true },
    ],
  ]
  for (const [settings, door] of cases)
    it(JSON.stringify(door ?? 'none'), () => assert.deepEqual(doorOf(must(build(settings))), door))
})
