/** `knock()`: what it takes, what it sends, and how it ends. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { must } from '../../test/support/results.ts'
import { memoryDelivery } from '../delivery/memory.ts'
import type { FailureCode } from '../failure-codes.ts'
import { parseEnvelope } from '../packet/envelope.ts'
import { EncryptionKey, HmacKey } from '../packet/key.ts'
import { parseKeyText } from '../packet/key-text.ts'
import { openPacket } from '../packet/open.ts'
import { type KnockOptions, knock } from './one-call.ts'

const folder = mkdtempSync(join(tmpdir(), 'ghostport-call-'))
after(() => rmSync(folder, { recursive: true }))
const rcFile = join(folder, 'rc')
const stanza = (name: string, more = ''): string =>
  `[${name}]\nSPA_SERVER 127.0.0.1\nACCESS tcp/22\nALLOW_IP source\nKEY sesame\nHMAC_KEY latch\n${more}`
writeFileSync(rcFile, `${stanza('door')}[keyless]\nSPA_SERVER 127.0.0.2\nACCESS tcp/1\nALLOW_IP source\n`, {
  mode: 0o600,
})

const base = { destination: '127.0.0.1', access: 'tcp/22', 'source-ip': true, 'no-rc-file': true } as const
const keys = { 'key-rijndael': 'sesame', 'key-hmac': 'latch' } as const

/** Knocks into memory. @returns the message of the only packet, opened with the keys of these tests. */
async function messageOf(options: KnockOptions) {
  const delivery = memoryDelivery()
  must(await knock(options, { delivery }))
  const [packet, other] = delivery.packets
  assert.ok(packet !== undefined && other === undefined)
  const envelope = must(parseEnvelope(Buffer.from(packet.text), { http: 'off' }))
  const opened = openPacket(envelope, {
    encryption: { key: must(parseKeyText(EncryptionKey, 'sesame')), mode: 'CBC' },
    hmac: { key: must(parseKeyText(HmacKey, 'latch')), type: 'sha256' },
  })
  return must(opened).message
}

describe('other transports', () => {
  /** A server that takes one connection. @returns its port, and what the connection brings. */
  async function listen(t: { after(then: () => void): void }, answer = '') {
    const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const address = server.address()
    assert.ok(address !== null && typeof address === 'object')
    const brought = new Promise<string>((resolve) => {
      server.once('connection', (socket) => {
        let text = ''
        const done = (): void => {
          if (socket.writable) socket.end(answer)
          resolve(text)
        }
        socket.on('data', (chunk) => {
          text += chunk.toString('latin1')
          if (text.endsWith('\r\n\r\n')) done()
        })
        socket.on('end', done)
      })
    })
    return { port: address.port, brought }
  }
  const open = (payload: string, http: 'off' | { anyUserAgent: boolean }) =>
    must(parseEnvelope(Buffer.from(payload, 'latin1'), { http }))

  it('TCP', async (t) => {
    const { port, brought } = await listen(t)
    const result = must(await knock({ ...base, ...keys, 'server-proto': 'tcp', 'server-port': port }))
    assert.deepEqual(
      result.packets.map((it) => [it.address, it.port, it.sent]),
      [['127.0.0.1', port, true]],
    )
    open(await brought, 'off')
  })
  it('HTTP, with the host as typed and the user agent that is given', async (t) => {
    const { port, brought } = await listen(t)
    const http = { 'server-proto': 'http', 'server-port': port, 'user-agent': 'Fwknop/9 (me)' }
    must(await knock({ ...base, ...keys, ...http, destination: 'LocalHost', ipv4: true }))
    const request = await brought
    assert.match(request, /\r\nUser-Agent: Fwknop\/9 \(me\)\r\n.*\r\nHost: LocalHost\r\n/s)
    open(request, { anyUserAgent: false })
  })
  it('HTTP through a proxy, for a server that only the proxy can look up', async (t) => {
    const { port, brought } = await listen(t, 'HTTP/1.0 502 Bad Gateway\r\n\r\n')
    const passwordFile = join(folder, 'password')
    writeFileSync(passwordFile, 'p:w\nmore\n', { mode: 0o600 })
    const login = { 'http-proxy-user': 'ada', 'http-proxy-password-file': passwordFile }
    const proxied = { 'http-proxy': `127.0.0.1:${port}`, destination: 'spa.invalid', ...login }
    const result = must(await knock({ ...base, ...keys, ...proxied }))
    assert.deepEqual(
      result.packets.map((it) => [it.address, it.port, it.sent]),
      [['127.0.0.1', port, true]],
    )
    const request = await brought
    assert.match(request, /^GET http:\/\/spa\.invalid\/\S+ HTTP.*\r\nProxy-Authorization: Basic YWRhOnA6dw==\r\n/s)
    open(request.replace('http://spa.invalid', ''), { anyUserAgent: false })
  })
  it('a ghost service behind a proxy is that of the server, and not of the proxy', async (t) => {
    const { port, brought } = await listen(t)
    const ghost = { destination: '192.0.2.7', 'nat-local': true, 'nat-port': 80, 'http-proxy': `127.0.0.1:${port}` }
    must(await knock({ ...base, ...keys, ...ghost }))
    const envelope = open((await brought).replace('http://192.0.2.7', ''), { anyUserAgent: false })
    const opened = openPacket(envelope, {
      encryption: { key: must(parseKeyText(EncryptionKey, 'sesame')), mode: 'CBC' },
      hmac: { key: must(parseKeyText(HmacKey, 'latch')), type: 'sha256' },
    })
    const { message } = must(opened)
    assert.ok(message.kind === 'localNatAccess')
    assert.deepEqual([message.host, message.localPort], ['192.0.2.7', 22])
  })
  it('a password in a file that others can read is refused, and nothing is sent', async () => {
    const file = join(folder, 'exposed')
    writeFileSync(file, 'pw\n', { mode: 0o644 })
    const proxied = { 'http-proxy': '127.0.0.1:9', 'http-proxy-user': 'ada', 'http-proxy-password-file': file }
    const refused = await knock({ ...base, ...keys, ...proxied })
    assert.equal(refused.ok || refused.failure.code, 'CONFIG_EXPOSED')
  })
  it('a wait through a proxy needs the addresses of the server itself', async () => {
    const proxied = { 'http-proxy': '127.0.0.1:9', destination: 'spa.invalid', wait: true }
    const refused = await knock({ ...base, ...keys, ...proxied })
    assert.equal(refused.ok || refused.failure.code, 'NAME_UNRESOLVED')
  })
  it('a refusal names host, port and cause', async () => {
    for (const more of [{ 'server-proto': 'tcp' }, { 'server-proto': 'http' }, { 'server-proto': 'https' }]) {
      const refused = await knock({ ...base, ...keys, ...more, 'server-port': 9 })
      assert.equal(refused.ok || refused.failure.code, 'SEND_FAILED')
      assert.match(refused.ok ? '' : refused.failure.detail, /^127\.0\.0\.1 port 9\/tcp: nothing accepts/)
    }
  })
})

describe('one call', () => {
  it('sends a packet by UDP, and says where to', async (t) => {
    const server = createSocket('udp4')
    server.bind(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const arrived = once(server, 'message')
    const { port } = server.address()
    const before = Math.floor(Date.now() / 1000)
    const result = must(await knock({ ...base, ...keys, 'server-port': port, 'fw-timeout': 30 }))
    const [bytes] = await arrived
    assert.ok(bytes.length > 140)
    const [packet] = result.packets
    assert.ok(packet !== undefined && packet.timestamp >= before)
    const { timestamp, ...rest } = packet
    assert.deepEqual(
      { ...result, packets: rest },
      {
        server: '127.0.0.1',
        ports: ['tcp/22'],
        hmac: true,
        packets: { address: '127.0.0.1', port, sent: true, localAddress: '127.0.0.1' },
      },
    )
  })

  const same: [string, KnockOptions][] = [
    ['options', { ...base, ...keys }],
    ['a stanza by its name', { stanza: 'DOOR', 'rc-file': rcFile }],
    ['a stanza by its server', { stanza: '127.0.0.1', 'rc-file': rcFile }],
    ['a stanza as -n names it', { 'named-config': 'door', 'rc-file': rcFile }],
    ['a stanza, and options over it', { stanza: 'keyless', 'rc-file': rcFile, access: ['tcp/22'], ...keys }],
    ['keys in base64', { ...base, 'key-base64-rijndael': 'c2VzYW1l', 'key-base64-hmac': 'bGF0Y2g=' }],
    [
      'keys in bytes',
      { ...base, 'key-rijndael': Buffer.from('sesame'), 'key-hmac': Uint8Array.from(Buffer.from('latch')) },
    ],
    [
      'keys that are asked for',
      { ...base, 'use-hmac': true, askSecret: async (what) => (/HMAC/.test(what) ? Buffer.from('latch') : 'sesame') },
    ],
  ]
  for (const [name, options] of same)
    it(`takes ${name}`, async () => {
      const message = await messageOf({ ...options, 'spoof-user': 'ada' })
      assert.ok(message.kind === 'access' && message.username === 'ada')
      assert.deepEqual(message.ports, [{ protocol: 'tcp', port: 22 }])
    })

  it('takes numbers as they are', async () => {
    const message = await messageOf({ ...base, ...keys, 'nat-local': true, 'nat-port': 80, 'fw-timeout': 7 })
    assert.ok(message.kind === 'localNatAccess' && message.timeout === 7 && message.localPort === 22)
  })

  const untyped = (options: object): KnockOptions => ({ ...base, ...keys, ...options })
  const refused: [string, KnockOptions, FailureCode, RegExp, string?][] = [
    ['an option that is none', untyped({ acess: 'tcp/22' }), 'CLI_USAGE', /no option “acess”/, 'access'],
    [
      'a flag that is a text',
      untyped({ 'source-ip': 'no' }),
      'VALUE_INVALID',
      /--source-ip: it has to be true or false/,
    ],
    ['a port that is none', untyped({ 'server-port': 0 }), 'VALUE_INVALID', /--server-port: port 0 is not between/],
    ['no number', untyped({ 'nat-port': Number.NaN }), 'VALUE_INVALID', /--nat-port: “NaN” is not a port number/],
    [
      'two that contradict each other',
      untyped({ 'allow-ip': '192.0.2.1' }),
      'CLI_USAGE',
      /--allow-ip and --source-ip cannot be used together/,
    ],
    ['a stanza named twice', { stanza: 'door', 'named-config': 'door' }, 'CLI_USAGE', /stanza and named-config cannot/],
    ['a wish about no wait', untyped({ 'wait-limit': 1 }), 'CLI_USAGE', /--wait-limit has no effect without --wait/],
    [
      'a wait without end',
      untyped({ wait: true, 'wait-limit': Number.POSITIVE_INFINITY }),
      'VALUE_INVALID',
      /--wait-limit/,
    ],
    ['knocks without a wait', untyped({ knocks: 3 }), 'CLI_USAGE', /--knocks has no effect without --wait/],
    ...[21, 2.5, -1, 'many', ''].map((knocks): (typeof refused)[number] => [
      `${JSON.stringify(knocks)} knocks`,
      untyped({ wait: true, knocks }),
      'VALUE_INVALID',
      /--knocks: “.*” is not a whole number from 0 to 20/,
    ]),
    ['a wait for UDP', untyped({ wait: true, access: 'udp/53' }), 'CLI_USAGE', /no TCP port/],
    [
      'nothing to open',
      { destination: '127.0.0.1', 'no-rc-file': true, 'source-ip': true },
      'CLI_USAGE',
      /--access tcp\/22/,
    ],
    [
      'a stanza that is not there',
      { stanza: 'dor', 'rc-file': rcFile },
      'CONFIG_MISSING_KEY',
      /no stanza \[dor\]/,
      'door',
    ],
    [
      'a stanza and no rc file',
      { stanza: 'door', 'no-rc-file': true },
      'CONFIG_MISSING_KEY',
      /no rc file to read \[door\] from/,
    ],
    [
      'a key that is nowhere',
      { stanza: 'keyless', 'rc-file': rcFile },
      'KEY_MISSING',
      /--key-base64-rijndael, or set KEY_BASE64 in stanza \[keyless\]/,
    ],
    [
      'a secret that is not told',
      { ...base, askSecret: async () => undefined },
      'KEY_MISSING',
      /Encryption key for 127\.0\.0\.1/,
    ],
    ['a key that is too long', untyped({ 'key-rijndael': new Uint8Array(33) }), 'KEY_INVALID', /--key-rijndael: .*33/],
    ['a name that is none', untyped({ destination: 'host.invalid' }), 'NAME_UNRESOLVED', /host\.invalid/],
  ]
  for (const [name, options, code, detail, suggestion] of refused)
    it(`refuses ${name}`, async () => {
      const delivery = memoryDelivery()
      const result = await knock(options, { delivery })
      assert.ok(!result.ok)
      const { failure } = result
      assert.equal(failure.code, code)
      assert.match(failure.detail, detail)
      if (suggestion !== undefined) assert.equal(failure.suggestion, suggestion)
      assert.deepEqual([failure.causes, failure.packets, delivery.packets], [[], [], []])
    })

  it('finds a port that was open before, and leaves no connection', async (t) => {
    const ended: Promise<unknown>[] = []
    const service = createServer((socket) => ended.push(once(socket.on('error', () => {}).resume(), 'close')))
    service.listen(0, '127.0.0.1')
    await once(service, 'listening')
    const address = service.address()
    assert.ok(address !== null && typeof address === 'object')
    t.after(() => service.close())
    const result = must(await knock({ ...base, ...keys, access: `tcp/${address.port}`, wait: true }))
    const { open } = result
    assert.deepEqual(open, { address: '127.0.0.1', port: address.port, sign: 'connect', already: true, after: 0 })
    await Promise.all(ended)
  })

  it('leaves no connection open where the delivery throws', { timeout: 10_000 }, async (t) => {
    const service = createServer().listen(0, '127.0.0.1')
    t.after(() => service.close())
    await once(service, 'listening')
    const address = service.address() as { port: number }
    const accepted = once(service, 'connection')
    const delivery = {
      send: async () => {
        await accepted
        throw new Error('the radio is broken')
      },
    }
    const knocked = knock({ ...base, ...keys, access: `tcp/${address.port}`, wait: true }, { delivery })
    await assert.rejects(knocked, /the radio is broken/)
    const [socket] = await accepted
    if (!socket.destroyed) await once(socket.resume(), 'close')
  })

  it('says why a port may have stayed shut, and what was sent', async () => {
    const result = await knock({ ...base, ...keys, access: 'tcp/1', wait: true, 'wait-limit': 0.1 })
    assert.ok(!result.ok && result.failure.code === 'PORT_NOT_OPEN')
    assert.ok(result.failure.causes.some((cause) => /clocks differ/.test(cause)))
    assert.deepEqual(
      result.failure.packets.map(({ address, sent }) => [address, sent]),
      [['127.0.0.1', true]],
    )
  })

  it('ends when it is told to: at once, before the name is known, and in the wait', { timeout: 10_000 }, async () => {
    const sent = memoryDelivery()
    const early = await knock({ ...base, ...keys, signal: AbortSignal.abort() }, { delivery: sent })
    assert.ok(!early.ok && early.failure.code === 'ABORTED')

    const unresolved = new AbortController()
    const world = {
      delivery: sent,
      resolve: () => {
        unresolved.abort()
        return new Promise<never>(() => {})
      },
    }
    const middle = await knock({ ...base, ...keys, signal: unresolved.signal }, world)
    assert.ok(!middle.ok && middle.failure.code === 'ABORTED')
    assert.deepEqual([middle.failure.packets, sent.packets], [[], []])

    // The secret is not asked for, and an error that comes after the signal reaches nobody.
    let asked = 0
    const askSecret = async () => {
      asked++
      throw new Error('nobody is there')
    }
    const unasked = await knock(
      { ...base, access: 'tcp/1', askSecret, signal: AbortSignal.abort() },
      { delivery: sent },
    )
    assert.ok(!unasked.ok && unasked.failure.code === 'ABORTED')
    assert.equal(asked, 0)
    const failing = new AbortController()
    const thrown = await knock(
      { ...base, ...keys, signal: failing.signal },
      {
        delivery: sent,
        resolve: async () => {
          failing.abort()
          throw new Error('no resolver')
        },
      },
    )
    assert.ok(!thrown.ok && thrown.failure.code === 'ABORTED')

    const signal = AbortSignal.timeout(50)
    const late = await knock({ ...base, ...keys, access: 'tcp/1', wait: true, 'wait-limit': 3600, signal })
    assert.ok(!late.ok && late.failure.code === 'ABORTED')
    assert.equal(late.failure.packets.length, 1)
  })

  it('prints nothing and reads nothing, also where a key is missing', () => {
    const call = JSON.stringify(new URL('./one-call.ts', import.meta.url).href)
    const memory = JSON.stringify(new URL('../delivery/memory.ts', import.meta.url).href)
    const script = `import { knock } from ${call}
      import { memoryDelivery } from ${memory}
      const base = ${JSON.stringify(base)}
      const ends = []
      for (const options of [{ ...base, 'key-rijndael': 'sesame' }, base, { ...base, access: 'x' }])
        ends.push(await knock(options, { delivery: memoryDelivery() }))
      process.exitCode = ends.map(({ ok }) => ok).join() === 'true,false,false' ? 7 : 1`
    const argv = ['--conditions=ghostport-source', '--input-type=module', '-e', script]
    const ran = spawnSync(process.execPath, argv, { input: 'sesame\n', encoding: 'utf8', timeout: 60_000 })
    assert.deepEqual([ran.status, ran.stdout, ran.stderr], [7, '', ''])
  })
})
