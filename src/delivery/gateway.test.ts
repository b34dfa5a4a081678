/** What a client makes of gateways that are not as they should be. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { describe, it } from 'node:test'
import { answering, WITHOUT_ANSWER } from '../../test/support/raw-answers.ts'
import { makeCertificate } from '../../test/support/tls-certificate.ts'
import { parseAddress } from '../packet/address.ts'
import { type Port, port } from '../units.ts'
import { gatewayDelivery } from './gateway.ts'

const TEXT = `8${'A'.repeat(199)}`
const loopback = parseAddress('127.0.0.1')

async function served(status: number, body: string, tls?: { key: string; cert: string }) {
  const listener = (_: unknown, response: import('node:http').ServerResponse) => response.writeHead(status).end(body)
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  const at = await new Promise<Port>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(port((server.address() as { port: number }).port)))
  })
  return {
    at,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function outcome(at: Port, more: object = {}): Promise<string> {
  assert.ok(loopback.ok)
  const delivery = gatewayDelivery({ secure: false, name: 'gate.example', port: at, target: 'office', ...more })
  const sent = await delivery.send({ text: TEXT, address: loopback.value, port: at })
  if (!sent.ok) return sent.failure.detail.replace(/^the gateway 127\.0\.0\.1 port [0-9]+\/tcp: /, '')
  return `ticket, receipt ${await sent.value.receipt?.()}`
}

describe('a gateway', () => {
  const table: readonly (readonly [status: number, body: string, outcome: RegExp])[] = [
    [404, '', /^it is not a gateway/],
    [421, '', /does not answer to the name gate\.example/],
    [429, '', /no more knocks from here for a while \(429\)/],
    [400, '', /no packet of this form/],
    [500, '', /^it answers with status 500$/],
    [202, 'no JSON', /^its answer is not that of a gateway$/],
    [202, '{"ticket":5}', /^its answer is not that of a gateway$/],
    [202, `{"ticket":"${'x'.repeat(10_000)}"}`, /^its answer is not that of a gateway$/],
    [202, '{"ticket":"x"}', /^ticket, receipt undefined$/],
  ]
  for (const [status, body, expected] of table)
    it(`that answers ${status} with ${body.slice(0, 20) || 'nothing'}`, async () => {
      await using server = await served(status, body)
      assert.match(await outcome(server.at), expected)
    })

  for (const [does, bytes] of WITHOUT_ANSWER)
    it(`that ${does}`, async () => {
      await using server = await answering(bytes)
      const told = await outcome(server.at)
      assert.match(told, /^[ -~]+$/)
      assert.doesNotMatch(told, /no answer within|^ticket/)
    })

  it('whose certificate nobody trusts, or that has another fingerprint, gets no packet', async () => {
    const certificate = makeCertificate(['DNS:gate.example'])
    await using server = await served(202, '{"ticket":"x"}', certificate)
    assert.match(await outcome(server.at, { secure: true }), /from no authority that is trusted here/)
    const wrong = { secure: true, fingerprint: `${'AB:'.repeat(31)}AB` }
    assert.match(await outcome(server.at, wrong), /another fingerprint than GATEWAY_FINGERPRINT/)
    assert.match(await outcome(server.at, { secure: true, authorities: certificate.cert }), /^ticket/)
    const other = { secure: true, name: 'other.example', authorities: certificate.cert }
    assert.match(await outcome(server.at, other), /its certificate is not for other\.example/)
  })
})
