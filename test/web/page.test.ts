/** The page in Chromium: from a pasted profile to the packet that the gateway gets. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { EncryptionKey, HmacKey, openPacket, parseEnvelope, parseKeyBase64 } from '../../src/packet.ts'
import { chromiumUnavailable, startChromium, type TestBrowser } from './chromium.ts'
import { type PageServer, servePage } from './page-server.ts'

const KEY = Buffer.alloc(32, 7).toString('base64')
const HMAC = Buffer.alloc(64, 9).toString('base64')
const url = (key: string) => key.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
const PROFILE = `ghostport://profile/1?name=office&server=192.0.2.9&allow=source&open=tcp/22&key=${url(KEY)}&hmac=${url(HMAC)}&made=1764150000`

describe('the page', { skip: chromiumUnavailable() }, () => {
  let chromium: TestBrowser
  let server: PageServer
  before(async () => {
    ;[chromium, server] = await Promise.all([startChromium(), servePage()])
  })
  after(async () => {
    await chromium[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  it('seals what a pasted profile asks for, for the address that it shows', async () => {
    await using page = await open()
    await page.tab.getByRole('link', { name: 'Add a profile' }).click()
    await page.tab.getByLabel('The profile').fill(PROFILE)
    await page.tab.getByRole('button', { name: 'Read it' }).click()
    await page.tab.getByLabel('Name of the server').fill('office')
    await page.tab.getByRole('button', { name: 'Add this profile' }).click()
    await page.tab.getByText(server.address).waitFor()
    await page.tab.getByRole('button', { name: 'Open' }).click()
    await page.tab.getByText('no proof').waitFor()

    const [knock] = server.knocks
    assert.equal(knock?.target, 'office')
    assert.equal(messageIn(knock.packet), '198.51.100.7,tcp/22')
    assert.deepEqual(page.complaints, [])
  })

  async function open(): Promise<AsyncDisposable & { readonly tab: Page; readonly complaints: readonly string[] }> {
    const context = await chromium.browser.newContext({ viewport: { width: 390, height: 844 } })
    const tab = await context.newPage()
    tab.setDefaultTimeout(10_000)
    const complaints: string[] = []
    tab.on('console', (message) => {
      if (message.type() !== 'log') complaints.push(message.text())
    })
    tab.on('pageerror', (error) => complaints.push(error.message))
    await tab.goto(server.url)
    return { tab, complaints, [Symbol.asyncDispose]: () => context.close() }
  }
})

function messageIn(packet: string): string {
  const envelope = parseEnvelope(Buffer.from(packet), { http: 'off' })
  const encryption = parseKeyBase64(EncryptionKey, KEY)
  const hmac = parseKeyBase64(HmacKey, HMAC)
  assert.ok(envelope.ok && encryption.ok && hmac.ok)
  const opened = openPacket(envelope.value, {
    encryption: { mode: 'CBC', key: encryption.value },
    hmac: { type: 'sha256', key: hmac.value },
  })
  assert.ok(opened.ok, JSON.stringify(opened))
  return opened.value.fields.message
}
