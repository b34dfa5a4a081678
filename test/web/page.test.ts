/** The page in Chromium: from a profile to the packet that the gateway gets, and what the page says of it. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { buildPage, makePage } from '../../web/build.mjs'
import { compareServed } from '../../web/compare.mjs'
import { filmOf, pictureOf } from './camera.ts'
import { chromiumUnavailable, startChromium, type TestBrowser } from './chromium.ts'
import {
  add,
  addPasted,
  HMAC,
  KEY,
  messageIn,
  openPage,
  PASSPHRASE,
  PROFILE,
  profileLine,
  receiptFor,
  start,
  typeIn,
} from './on-the-page.ts'
import { type PageServer, servePage } from './page-server.ts'
import { views } from './views.ts'

describe('the page', { skip: chromiumUnavailable() }, () => {
  let chromium: TestBrowser
  let server: PageServer
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-page-'))
  before(async () => {
    writeFileSync(join(folder, 'film.y4m'), filmOf(profileLine('tcp/22', 'scanned')))
    const camera = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream']
    ;[chromium, server] = await Promise.all([
      startChromium(undefined, [...camera, `--use-file-for-fake-video-capture=${join(folder, 'film.y4m')}`]),
      servePage(),
    ])
  })
  after(async () => {
    await chromium[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
    await server[Symbol.asyncDispose]()
  })
  const open = () => {
    server.receipt = () => 'A'.repeat(128)
    server.isUp = true
    return openPage(chromium.browser, server.url)
  }

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

  it('closes a door by a tap, and says so on a receipt alone', async () => {
    await using page = await open()
    const { tab } = page
    await start(tab)
    await addPasted(tab, PROFILE)
    server.receipt = (packet) => receiptFor(packet, { verdict: 'open', seconds: 30 })
    await tab.getByRole('button', { name: 'Open', exact: true }).click()
    await tab.getByText(/^Open until .* says the server/).waitFor()
    // An older server: the ring stays, since the door may be open still.
    server.receipt = () => 'A'.repeat(128)
    await tab.getByRole('button', { name: 'Close now' }).click()
    await tab.getByText('There is no proof that it closed').waitFor()
    assert.equal(messageIn(server.knocks.at(-1)?.packet ?? ''), '198.51.100.7,tcp/22')
    assert.equal(typeIn(server.knocks.at(-1)?.packet ?? ''), 90)
    assert.equal(await tab.getByRole('timer').count(), 1)
    server.receipt = (packet) => receiptFor(packet, { verdict: 'refused', code: 'ACCESS_CLOSE_SHARED' })
    await tab.getByRole('button', { name: 'Close now' }).click()
    await tab.getByText('stays open for another user at the same address').waitFor()
    assert.equal(await tab.getByRole('timer').count(), 1)
    server.receipt = (packet) => receiptFor(packet, { verdict: 'closed' })
    await tab.getByRole('button', { name: 'Close now' }).click()
    await tab.getByText('Closed, says the server.').waitFor()
    await tab.getByRole('button', { name: 'Open', exact: true }).waitFor()
    assert.equal(await tab.getByRole('timer').count(), 0)
    // Also what another page, or this one before it was locked, has opened.
    await tab.getByText('More', { exact: true }).click()
    await tab.getByRole('textbox', { name: 'For another device' }).fill('203.0.113.5')
    const before = server.knocks.length
    await tab.getByRole('button', { name: 'Close what may be open' }).click()
    for (let i = 0; i < 100 && server.knocks.length === before; i++) await delay(50)
    assert.equal(messageIn(server.knocks.at(-1)?.packet ?? ''), '203.0.113.5,tcp/22')
    assert.deepEqual(page.complaints, [])
  })

  it('keeps a door open until it is told otherwise, and never knocks by itself otherwise', async () => {
    await using page = await openPage(chromium.browser, server.url, { clock: true })
    const { tab } = page
    await start(tab)
    await addPasted(tab, PROFILE)
    const before = server.knocks.length
    server.receipt = (packet) => receiptFor(packet, { verdict: 'open', seconds: 30 })
    await tab.reload()
    await tab.getByLabel('Passphrase').fill(PASSPHRASE)
    await tab.getByRole('button', { name: 'Unlock' }).click()
    await tab.getByText(server.address).waitFor()
    assert.equal(server.knocks.length, before)

    const arrived = async (count: number) => {
      for (let i = 0; i < 300 && server.knocks.length < before + count; i++) await delay(50)
      assert.equal(server.knocks.length, before + count)
    }
    await tab.getByRole('button', { name: 'Open', exact: true }).click()
    await tab.getByLabel('Keep it open').check()
    await arrived(2)
    await tab.getByRole('button', { name: 'Extend' }).waitFor()
    await tab.clock.fastForward(22_000)
    await arrived(3)
    await tab.getByRole('button', { name: 'Extend' }).waitFor()
    await tab.getByLabel('Keep it open').uncheck()
    await tab.clock.fastForward(60_000)
    await tab.getByText('The door has closed again').waitFor()
    await arrived(3)
  })

  it('can be used by keyboard alone, and tells each new view', async () => {
    await using page = await open()
    const { tab } = page
    const press = async (...pressed: readonly string[]) => {
      for (const key of pressed) await tab.keyboard.press(key)
    }
    const focused = () => tab.evaluate(() => document.activeElement?.textContent ?? '')
    await tab.getByLabel('Passphrase').focus()
    await tab.keyboard.type(PASSPHRASE)
    await press('Tab')
    await tab.keyboard.type(PASSPHRASE)
    await press('Enter')
    await tab.getByRole('heading', { name: 'No door yet' }).waitFor()
    assert.equal(await focused(), 'No door yet')
    await press('Tab')
    assert.match(await focused(), /Add a profile/)
    await press('Enter')
    await tab.getByRole('heading', { name: 'Add a profile' }).waitFor()
    await press('Tab', 'ArrowLeft', 'ArrowRight', 'Tab')
    await tab.keyboard.insertText(PROFILE)
    await press('Tab', 'Enter')
    await tab.getByRole('heading', { name: 'Is this right?' }).waitFor()
    await tab.getByLabel('Name of the server').focus()
    await tab.keyboard.type('office')
    await press('Enter')
    await tab.getByRole('heading', { name: 'office' }).waitFor()
    assert.equal(await focused(), 'office')
    await tab.getByText(server.address).waitFor()
    await press('Tab', 'Tab')
    assert.equal(await focused(), 'More')
    await press('Tab')
    assert.equal(await focused(), 'Open')
    await press('Enter')
    await tab.getByText('no proof').waitFor()
    assert.equal(await focused(), 'Open')
    // The button gives way to the ring, and the focus goes on to what comes next.
    server.receipt = (packet) => receiptFor(packet, { verdict: 'open', seconds: 30 })
    await press('Enter')
    await tab.getByText(/^Open until /).waitFor()
    assert.equal(await focused(), 'Extend')
    server.receipt = (packet) => receiptFor(packet, { verdict: 'closed' })
    await press('Tab', 'Enter')
    await tab.getByText('Closed, says the server.').waitFor()
    assert.equal(await focused(), 'Open')
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

    // The browser clears the store.
    await page.tab.goto('about:blank')
    await page.tab.goto(`${server.url}/licences.txt`)
    await page.tab.evaluate(
      () =>
        new Promise((resolve) => {
          indexedDB.deleteDatabase('ghostport').onsuccess = resolve
        }),
    )
    await page.tab.goto(server.url)
    await page.tab.getByText('The profiles that were here are gone').waitFor()
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

  it('reads QR codes: by the camera, and in pictures of ghostport and of fwknop', async () => {
    await using page = await open()
    const { tab } = page
    await start(tab)
    await add(tab)
    await tab.getByRole('tab', { name: 'Camera' }).click()
    await tab.getByRole('heading', { name: 'Is this right?' }).waitFor()
    assert.equal(await tab.getByLabel('Name', { exact: true }).inputValue(), 'scanned')
    await tab.getByRole('link', { name: 'All doors' }).click()

    await add(tab)
    await tab.getByRole('tab', { name: 'Picture or file' }).click()
    await tab.locator('input[type=file]').setInputFiles(pictureOf(PROFILE))
    await tab.getByRole('heading', { name: 'Is this right?' }).waitFor()
    await tab.getByRole('link', { name: 'All doors' }).click()

    await add(tab)
    await tab.getByRole('tab', { name: 'Picture or file' }).click()
    await tab.locator('input[type=file]').setInputFiles(pictureOf(`KEY_BASE64:${KEY} HMAC_KEY_BASE64:${HMAC}`))
    await tab.getByText('There are keys in it, and nothing else').waitFor()
    await tab.getByLabel('Name of the server').fill('office')
    await tab.getByRole('button', { name: 'Add this profile' }).click()
    await tab.getByText('a profile names its server').waitFor()
    await tab.getByLabel('Server', { exact: true }).fill('192.0.2.9')
    await tab.getByLabel('Ports').fill('tcp/22')
    await tab.getByRole('button', { name: 'Add this profile' }).click()
    await tab.getByRole('heading', { name: 'Opens for this device' }).waitFor()
    assert.deepEqual(page.complaints, [])
  })

  it('takes all servers of a fleet at once, by the QR code of one line', async () => {
    await using page = await open()
    const { tab } = page
    await start(tab)
    await add(tab)
    const secret = Buffer.alloc(32, 5).toString('base64url')
    const line = `ghostport://fleet/1?name=ada&allow=resolve&open=tcp/22&secret=${secret}&node=web-1,192.0.2.1&node=db-1,192.0.2.3`
    await tab.getByRole('tab', { name: 'Picture or file' }).click()
    await tab.locator('input[type=file]').setInputFiles(pictureOf(line))
    await tab.getByRole('heading', { name: 'Which one?' }).waitFor()
    await tab.getByRole('button', { name: 'Add all 2 profiles' }).click()
    await tab.getByText('web-1').first().waitFor()
    await tab.getByText('db-1').first().waitFor()
    assert.deepEqual(page.complaints, [])
  })

  it('reads an access.conf, and shows what it opens before it is kept', async () => {
    await using page = await open()
    const { tab } = page
    await start(tab)
    await add(tab)
    await tab.getByRole('tab', { name: 'Paste' }).click()
    const text = `SOURCE ANY\nNAME ada\nOPEN_PORTS tcp/22, udp/53\nKEY_BASE64 ${KEY}\nHMAC_KEY_BASE64 ${HMAC}\n`
    await tab.getByRole('textbox', { name: 'The profile' }).fill(text)
    await tab.getByRole('button', { name: 'Read it' }).click()
    await tab.getByText('tcp/22, udp/53').waitFor()
    assert.equal(await tab.getByLabel('Name', { exact: true }).inputValue(), 'ada')
    await tab.getByLabel('Server', { exact: true }).fill('192.0.2.9')
    await tab.getByLabel('Name of the server').fill('office')
    await tab.getByRole('button', { name: 'Add this profile' }).click()
    await tab.getByText(server.address).waitFor()
    await tab.getByRole('button', { name: 'Open', exact: true }).click()
    await tab.getByText('no proof').waitFor()
    assert.equal(messageIn(server.knocks.at(-1)?.packet ?? ''), '198.51.100.7,tcp/22,udp/53')
    assert.deepEqual(page.complaints, [])
  })

  it('runs no script of a profile, whatever its field', async () => {
    await using page = await open()
    const { tab } = page
    await start(tab)
    const script = '<img/src=x/onerror=pwned=1>'
    const stanza = `[${script}]\nSPA_SERVER ${script}\nACCESS tcp/22\nKEY_BASE64 ${KEY}\n`
    await add(tab)
    await tab.getByRole('tab', { name: 'Paste' }).click()
    // A user name has none of these signs: refused, with the text in the message.
    await tab.getByRole('textbox', { name: 'The profile' }).fill(`${stanza}SPOOF_USER ${script}\n`)
    await tab.getByRole('button', { name: 'Read it' }).click()
    await tab.getByText('This is not a profile').waitFor()
    await tab.getByRole('link', { name: 'All doors' }).click()
    await addPasted(tab, stanza)
    await tab.getByRole('heading', { name: script }).waitFor()
    server.address = script
    await tab.reload()
    await tab.getByLabel('Passphrase').fill(PASSPHRASE)
    await tab.getByRole('button', { name: 'Unlock' }).click()
    await tab.getByText('Your address is not known').waitFor()
    server.address = '198.51.100.7'
    await tab.getByRole('link', { name: 'All doors' }).click()
    await tab.getByRole('heading', { name: script }).waitFor()
    assert.equal(await tab.locator('img').count(), 0)
    assert.equal(await tab.evaluate(() => 'pwned' in window), false)
    assert.deepEqual(page.complaints, [])
  })

  it('starts offline, and then says that nothing was sent', async () => {
    await using page = await open()
    const { tab } = page
    await start(tab)
    await addPasted(tab, PROFILE)
    await tab.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
    const session = await tab.context().newCDPSession(tab)
    const { installabilityErrors } = await session.send('Page.getInstallabilityErrors')
    // A test's tab is one without memory, from which nothing is installed.
    assert.deepEqual(
      installabilityErrors.filter(({ errorId }) => errorId !== 'in-incognito'),
      [],
    )
    server.isUp = false
    await tab.reload()
    await tab.getByLabel('Passphrase').fill(PASSPHRASE)
    await tab.getByRole('button', { name: 'Unlock' }).click()
    await tab.getByText('Your address is not known').waitFor()
    await tab.getByText('More', { exact: true }).click()
    await tab.getByLabel('For another device').fill('203.0.113.9')
    await tab.getByRole('button', { name: 'Open', exact: true }).click()
    await tab.getByText('Nothing was sent').waitFor()
    server.isUp = true
    // A newer page is offered, and not taken by itself.
    const restore = server.replaceWorker()
    await tab.evaluate(() =>
      navigator.serviceWorker
        .getRegistration()
        .then((it) => it?.update())
        .then(() => undefined),
    )
    await tab.getByText('There is a newer version of this page').waitFor()
    restore()
    await tab.getByRole('button', { name: 'Open', exact: true }).click()
    await tab.getByText('no proof').waitFor()
    assert.equal(messageIn(server.knocks.at(-1)?.packet ?? ''), '203.0.113.9,tcp/22')
  })

  it('is unlocked by a passkey', async () => {
    await using page = await open()
    const { tab } = page
    const session = await tab.context().newCDPSession(tab)
    await session.send('WebAuthn.enable')
    await session.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        ctap2Version: 'ctap2_1',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
        hasPrf: true,
      },
    })
    await start(tab)
    await addPasted(tab, PROFILE)
    await tab.getByRole('link', { name: 'Settings' }).click()
    await tab.locator('summary', { hasText: 'Passkey' }).click()
    await tab.getByLabel('Your passphrase').fill(PASSPHRASE)
    await tab.getByRole('button', { name: 'Add a passkey' }).click()
    await tab.getByText('The passkey unlocks this device now').waitFor()
    await tab.getByRole('button', { name: 'Lock' }).click()
    await tab.getByRole('button', { name: 'Unlock with a passkey' }).click()
    await tab.getByRole('heading', { name: 'Settings' }).waitFor()
    await tab.getByRole('link', { name: 'All doors' }).click()
    await tab.getByRole('link', { name: 'Open office' }).waitFor()
    assert.deepEqual(page.complaints, [])
  })

  it('works from a file, and shows its own hash where it can', async () => {
    const bundle = await buildPage(join(folder, 'page'))
    assert.equal(bundle, server.bundle)
    await using page = await openPage(chromium.browser, `file://${join(folder, 'page', 'index.html')}`)
    await start(page.tab)
    await add(page.tab)
    await page.tab.getByRole('tab', { name: 'Paste' }).click()
    await page.tab.getByRole('textbox', { name: 'The profile' }).fill(PROFILE)
    await page.tab.getByRole('button', { name: 'Read it' }).click()
    await page.tab.getByLabel('Gateway', { exact: true }).fill(server.url)
    await page.tab.getByLabel('Name of the server').fill('office')
    await page.tab.getByRole('button', { name: 'Add this profile' }).click()
    await page.tab.getByText(server.address).waitFor()
    await page.tab.getByRole('button', { name: 'Open', exact: true }).click()
    await page.tab.getByText('no proof').waitFor()

    // From outside: the same page, and another one.
    const { files } = await makePage()
    assert.deepEqual(await compareServed(server.url, files), [])
    const restore = server.replaceWorker()
    assert.deepEqual(await compareServed(server.url, files), ['service-worker.js: another file'])
    restore()

    await using served = await open()
    await served.tab.getByRole('link', { name: /Page from/ }).click()
    await served.tab.locator(`[data-bundle="${server.bundle}"]`).waitFor()
    assert.equal(await served.tab.getByText('not those of the list').count(), 0)
  })

  it('says why it cannot work where it comes by plain http', async () => {
    await using page = await openPage(chromium.browser, server.url, { as: ['http://plain.example'] })
    await page.tab.getByText('This browser gives the page no cryptography').waitFor()
    assert.equal(await page.tab.locator('input').count(), 0)
  })

  it('has at most 60 kB for its first load, and OpenPGP.js as its authors made it', async () => {
    const { files, list } = await makePage()
    const first = files.filter(({ path }) => /^(index\.html|page-.*\.(js|css))$/.test(path))
    const bytes = first.map(({ content }) => gzipSync(content, { level: 9 }).length).reduce((sum, one) => sum + one, 0)
    assert.ok(first.length === 3 && bytes < 60_000, `${bytes} bytes`)
    const openpgp = list.files.find(({ path }) => path.startsWith('openpgp-'))
    const theirs = createRequire(import.meta.url)
      .resolve('openpgp')
      .replace(/dist\/.*/, 'dist/openpgp.min.js')
    assert.equal(openpgp?.sha256, createHash('sha256').update(readFileSync(theirs)).digest('hex'))
  })

  it('has nothing that axe finds, in any view, light and dark', async () => {
    const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
    await using page = await open()
    const { tab } = page
    await tab.evaluate(axe)
    for (const view of views) {
      await view.reach(tab, server)
      for (const colorScheme of ['light', 'dark'] as const) {
        await tab.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
        // The second time, only colours are others.
        const only = colorScheme === 'dark' ? { runOnly: ['color-contrast'] } : {}
        const found = await tab.evaluate(async (options) => {
          const { violations } = await window.axe.run(document, { resultTypes: ['violations'], ...options })
          return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 120)}`))
        }, only)
        assert.deepEqual(found, [], `${view.name}, ${colorScheme}`)
      }
    }
    // What the browser says of an invitation that is not good (410), or that nobody takes now (503).
    assert.deepEqual(
      page.complaints.filter((line) => !/status of (?:410|503)/.test(line)),
      [],
    )
  })
})
