import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { freePort } from '../../test/contract/delivery.ts'
import { inTurn } from './gateways-in-turn.ts'
import { performKnock } from './perform.ts'
import { planKnock } from './plan.ts'

/** A gateway that records what it gets. */
async function gateway(answer: (response: ServerResponse, request: IncomingMessage) => void) {
  const packets: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      if (request.url === '/v1/knock') packets.push(JSON.parse(body).packet)
      answer(response, request)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    packets,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const takes = (response: ServerResponse): void => {
  response.writeHead(202, { 'content-type': 'application/json' }).end('{"ticket":"0123456789abcdefghijkl"}')
}

async function planned(gateways: string, more: Record<string, string> = {}) {
  const options = { destination: '192.0.2.10', access: 'tcp/22', 'allow-ip': '192.0.2.1', 'no-rc-file': 1 }
  const keys = { 'key-base64-rijndael': 'a2V5', 'key-base64-hmac': 'aG1hYw==' }
  const made = await planKnock(
    { ...options, ...keys, gateway: gateways, 'gateway-target': 'office', ...more } as never,
    () => assert.fail('asked for a key'),
  )
  assert.ok(made.ok, JSON.stringify(made))
  return made.value
}

describe('several gateways', () => {
  it('one that is not there, and one that refuses: the next gets a packet of its own', async () => {
    await using full = await gateway((response) => response.writeHead(429).end())
    await using good = await gateway(takes)
    const closed = `http://127.0.0.1:${await freePort()}`
    const told: string[] = []
    const sent = await performKnock(await planned([closed, full.url, good.url].join()), {
      onNextGateway: ({ detail }, { settings }) => told.push(`${detail} → ${settings.gateway?.host}`),
    })
    assert.ok(sent.ok, JSON.stringify(sent))
    assert.equal(told.length, 2)
    assert.match(told[0] ?? '', /nothing accepts connections there/)
    assert.match(told[1] ?? '', /429/)
    assert.deepEqual([full.packets.length, good.packets.length], [1, 1])
    assert.notEqual(full.packets[0], good.packets[0], 'a packet that one gateway has is not given to another')
    assert.equal(`http://127.0.0.1:${sent.value.plan.settings.proxy?.port}`, good.url)
  })

  it('one that had the packet and said nothing: no other is tried, since it may have left', async () => {
    for (const answer of [
      (response: ServerResponse) => void response.destroy(),
      (response: ServerResponse) => void response.writeHead(202).end('{}'),
    ]) {
      await using silent = await gateway(answer)
      await using good = await gateway(takes)
      const sent = await performKnock(await planned(`${silent.url},${good.url}`), {})
      assert.ok(!sent.ok && sent.failure.code === 'SEND_FAILED' && sent.failure.unclear === true)
      assert.deepEqual([silent.packets.length, good.packets.length], [1, 0])
    }
  })

  it('none that takes it: the failure names each', async () => {
    await using full = await gateway((response) => response.writeHead(429).end())
    const closed = `http://127.0.0.1:${await freePort()}`
    const sent = await performKnock(await planned(`${closed},${full.url}`), {})
    assert.ok(!sent.ok)
    assert.match(sent.failure.detail, /nothing accepts connections there.*; .*429/)
  })

  it('a failure of another kind ends the knock', async () => {
    const plan = await planned('http://127.0.0.1:1,http://127.0.0.1:2')
    let tries = 0
    const outcome = await inTurn(plan, async () => {
      tries++
      return { ok: false, failure: { code: 'KEY_INVALID', detail: 'no' } }
    })
    assert.deepEqual([outcome.ok, tries], [false, 1])
  })

  it('more fingerprints than gateways are a mistake', async () => {
    const two = `${'ab'.repeat(32)},${'cd'.repeat(32)}`
    const options = { destination: '192.0.2.10', access: 'tcp/22', 'allow-ip': '192.0.2.1', 'no-rc-file': 1 }
    const made = await planKnock(
      { ...options, gateway: 'gate.example', 'gateway-target': 'office', 'gateway-fingerprint': two } as never,
      () => assert.fail('asked for a key'),
    )
    assert.ok(!made.ok)
    assert.match(made.failure.detail, /has 2 fingerprints, and GATEWAY names 1/)
  })
})
