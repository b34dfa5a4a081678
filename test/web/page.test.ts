/** The page in Chromium: from a profile to the packet that the gateway gets, and what the page says of it. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { chromiumUnavailable, startChromium, type TestBrowser } from './chromium.ts'
import { add, addPasted, messageIn, openPage, PASSPHRASE, PROFILE, receiptFor, start } from './on-the-page.ts'
import { type PageServer, servePage } from './page-server.ts'

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
  const open = () => openPage(chromium.browser, server.url)

  it('seals what a pasted profile asks for, for the address that it shows', async () => {
    await using page = await open()
    await start(page.tab)
    await addPasted(page.tab, PROFILE)
    await page.tab.getByText(server.address).waitFor()
    await page.tab.getByRole('button', { name: 'Open', exact: true }).click()
    await page.tab.getByText('There is no proof that it opened').waitFor()

    const knock = server.knocks.at(-1)
    assert.equal(knock?.target, 'office')
    assert.equal(messageIn(knock.packet), '198.51.100.7,tcp/22')
    assert.deepEqual(page.complaints, [])
  })

  it('says “open” on a receipt of the server, with a countdown and links', async () => {
    await using page = await open()
    await start(page.tab)
    await addPasted(page.tab, PROFILE)
    server.receipt = (packet) => receiptFor(packet, { verdict: 'open', seconds: 30 })
    await page.tab.getByRole('button', { name: 'Open', exact: true }).click()
    await page.tab.getByText(/^Open until .* says the server/).waitFor()
    assert.match(await page.tab.locator('.ring .time').innerText(), /^0:(30|2\d)$/)
    assert.equal(await page.tab.getByRole('link', { name: 'ssh://' }).getAttribute('href'), 'ssh://192.0.2.9:22')

    server.receipt = (packet) => receiptFor(packet, { verdict: 'refused', code: 'ACCESS_PORT_DENIED' })
    await page.tab.getByRole('button', { name: 'Extend' }).click()
    await page.tab.getByText('The server refused it').waitFor()
    await page.tab.getByText('ACCESS_PORT_DENIED').waitFor()
    assert.deepEqual(page.complaints, [])
  })

  it('keeps profiles sealed: locked after a reload, opened by the passphrase alone', async () => {
    await using page = await open()
    await start(page.tab)
    await addPasted(page.tab, PROFILE)
    await page.tab.goto(`${server.url}/`)
    await page.tab.getByRole('heading', { name: 'Locked' }).waitFor()
    await page.tab.getByLabel('Passphrase').fill('not the passphrase')
    await page.tab.getByRole('button', { name: 'Unlock' }).click()
    await page.tab.getByText('This is not the passphrase').waitFor()
    await page.tab.getByLabel('Passphrase').fill(PASSPHRASE)
    await page.tab.getByRole('button', { name: 'Unlock' }).click()
    await page.tab.getByRole('link', { name: 'Open office' }).waitFor()

    const stored = await page.tab.evaluate(async () => {
      const database = await new Promise<IDBDatabase>((resolve) => {
        const request = indexedDB.open('ghostport')
        request.onsuccess = () => resolve(request.result)
      })
      const all: string[] = []
      for (const name of database.objectStoreNames) {
        const request = database.transaction(name).objectStore(name).getAll()
        const values = await new Promise<unknown[]>((resolve) => {
          request.onsuccess = () => resolve(request.result)
        })
        const bytes = (value: unknown): unknown => (value instanceof Uint8Array ? String.fromCharCode(...value) : value)
        all.push(JSON.stringify(values, (_, value) => bytes(value)))
      }
      return all.join('\n')
    })
    assert.ok(stored.length > 300)
    for (const secret of ['office', '192.0.2.9', 'tcp/22', 'KEY', 'BwcHBwcH'])
      assert.ok(!stored.includes(secret), `“${secret}” is stored as it is`)

    await page.tab.getByRole('button', { name: 'Lock' }).click()
    await page.tab.getByRole('heading', { name: 'Locked' }).waitFor()
    assert.equal(await page.tab.getByText('office').count(), 0)
    assert.deepEqual(page.complaints, [])
  })

  it('locks itself when nobody touches it', async () => {
    await using page = await openPage(chromium.browser, server.url, { clock: true })
    await start(page.tab)
    await page.tab.clock.fastForward('04:50')
    assert.equal(await page.tab.getByRole('heading', { name: 'Locked' }).count(), 0)
    await page.tab.clock.fastForward('00:15')
    await page.tab.getByRole('heading', { name: 'Locked' }).waitFor()
  })

  it('exports profiles sealed, and imports them on another device', async () => {
    await using first = await open()
    await start(first.tab)
    await addPasted(first.tab, PROFILE)
    await first.tab.getByRole('link', { name: 'Settings' }).click()
    await first.tab.getByText('Export the profile').click()
    await first.tab.getByLabel('A passphrase for the file').fill('for the export file')
    await first.tab.getByLabel('The same again').fill('for the export file')
    const [download] = await Promise.all([
      first.tab.waitForEvent('download'),
      first.tab.getByRole('button', { name: 'Save the file' }).click(),
    ])
    const file = await download.path()
    assert.doesNotMatch(readFileSync(file, 'utf8'), /office|192\.0\.2\.9/)

    await using second = await open()
    await start(second.tab)
    await add(second.tab)
    await second.tab.getByRole('tab', { name: 'Picture or file' }).click()
    await second.tab.locator('input[type=file]').setInputFiles(file)
    await second.tab.getByLabel('Passphrase of the export').fill('another')
    await second.tab.getByRole('button', { name: 'Import' }).click()
    await second.tab.getByText('the passphrase is another').waitFor()
    await second.tab.getByLabel('Passphrase of the export').fill('for the export file')
    await second.tab.getByRole('button', { name: 'Import' }).click()
    await second.tab.getByRole('link', { name: 'Open office' }).waitFor()
    assert.deepEqual([...first.complaints, ...second.complaints], [])
  })
})
