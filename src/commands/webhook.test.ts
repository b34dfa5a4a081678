import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { milliseconds } from '../units.ts'
import { type DeliveryCounts, DeliveryQueue, type Tried } from './delivery-queue.ts'
import { readWebhookKey, signMessage } from './webhook.ts'

const folder = mkdtempSync(join(tmpdir(), 'ghostport-webhook-'))
chmodSync(folder, 0o700)
after(() => rmSync(folder, { recursive: true }))

describe('a webhook', () => {
  it('is signed over its time and its body', () => {
    const { headers, body } = signMessage({ event: 'grant' }, Buffer.from('k'.repeat(16)), 1_800_000_000, 'an-id')
    assert.equal(body, '{"event":"grant"}')
    const signature = createHmac('sha256', 'k'.repeat(16)).update(`1800000000.${body}`).digest('hex')
    assert.equal(headers['x-ghostport-signature'], `sha256=${signature}`)
    assert.equal(headers['x-ghostport-time'], '1800000000')
  })

  it('takes its key from a file that nobody else can read, and from no other', () => {
    const path = join(folder, 'key')
    const cases: [text: string, mode: number, code: string | undefined][] = [
      [`${'k'.repeat(16)}\nmore`, 0o600, undefined],
      ['k'.repeat(15), 0o600, 'KEY_INVALID'],
      ['', 0o600, 'KEY_INVALID'],
      ['k'.repeat(5000), 0o600, 'KEY_INVALID'],
      ['k'.repeat(16), 0o640, 'CONFIG_EXPOSED'],
      ['k'.repeat(16), 0o604, 'CONFIG_EXPOSED'],
    ]
    for (const [text, mode, code] of cases) {
      writeFileSync(path, text)
      chmodSync(path, mode)
      const key = readWebhookKey(path)
      assert.equal(key.ok ? undefined : key.failure.code, code, `${text.length} ${mode.toString(8)}`)
      if (key.ok) assert.equal(key.value.length, 16)
    }
    const none = readWebhookKey(join(folder, 'none'))
    assert(!none.ok && none.failure.code === 'CONFIG_UNREADABLE')
  })
})

describe('the queue of deliveries', () => {
  const delays = [1, 1].map(milliseconds)

  it('tries again what failed, and gives up what is refused for good', async () => {
    const answers: Tried[] = [
      { how: 'failed', why: 'one' },
      { how: 'delivered' },
      { how: 'final', why: 'two' },
      { how: 'failed', why: 'three' },
      { how: 'failed', why: 'four' },
      { how: 'failed', why: 'five' },
    ]
    const sent: string[] = []
    let counts: DeliveryCounts | undefined
    const queue = new DeliveryQueue<string>(
      async (message) => {
        sent.push(message)
        return answers.shift() ?? { how: 'delivered' }
      },
      (now) => {
        counts = now
      },
      delays,
    )
    for (const message of ['a', 'b', 'c']) queue.push('ada', message)
    await delay(100)
    assert.deepEqual(sent, ['a', 'a', 'b', 'c', 'c', 'c'])
    assert.deepEqual(counts, { delivered: 1, failed: 2, dropped: 0, why: 'five' })
  })

  it('is bounded', () => {
    let counts: DeliveryCounts | undefined
    const queue = new DeliveryQueue<number>(
      () => new Promise(() => {}),
      (now) => {
        counts = now
      },
    )
    for (const share of ['a', 'b', 'c']) for (let i = 0; i < 100; i++) queue.push(share, i)
    assert.equal(counts?.dropped, 300 - 3 - 256)
  })

  it('has room for the messages of each stanza, also where the server never takes those of another', async () => {
    const sent: string[] = []
    const queue = new DeliveryQueue<string>(
      async (message) => {
        sent.push(message)
        return message.startsWith('noisy') ? new Promise(() => {}) : { how: 'delivered' }
      },
      () => {},
      delays,
    )
    for (let i = 0; i < 1000; i++) queue.push('noisy', `noisy ${i}`)
    for (const message of ['one', 'two', 'three']) queue.push('quiet', message)
    await delay(20)
    assert.deepEqual(sent, ['noisy 0', 'one', 'two', 'three'])
  })
})
