/** Questions to gateways that do not answer as they should. Each has an end, and nothing of theirs is shown. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { answering, WITHOUT_ANSWER } from '../../test/support/raw-answers.ts'
import { milliseconds } from '../units.ts'
import { callGateway } from './gateway-call.ts'

async function outcome(bytes: string): Promise<string> {
  await using server = await answering(bytes)
  const gateway = { secure: false, host: '127.0.0.1', port: server.at }
  const answer = await callGateway({ gateway, path: '/v1/x', body: {} }, milliseconds(5_000))
  return answer.ok ? `${answer.value.status} ${JSON.stringify(answer.value.value)}` : answer.failure.detail
}

describe('a question to a gateway', () => {
  for (const [does, bytes] of WITHOUT_ANSWER)
    it(`that ${does}`, async () => {
      const told = await outcome(bytes)
      assert.match(told, /^http:\/\/127\.0\.0\.1:[0-9]+: [ -~]+$/)
      assert.doesNotMatch(told, /no answer within/)
    })

  it('whose answer is no JSON, is too deep or is too long', async () => {
    const head = 'HTTP/1.1 200 OK\r\n\r\n'
    assert.equal(await outcome(`${head}\x1b[2J`), '200 undefined')
    assert.equal(await outcome(`${head}${'['.repeat(500_000)}`), '200 undefined')
    assert.match(await outcome(`${head}${'1'.repeat(600_000)}`), /its answer is too long$/)
  })

  it('that sends it elsewhere is not followed', async () => {
    assert.equal(await outcome('HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n'), '302 undefined')
  })
})
