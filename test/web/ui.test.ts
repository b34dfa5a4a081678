/**
 * The page of `ghostport ui` in Chromium: from the click to the banner of ssh, and who else may use it.
 *
 *   client 10.9.0.1: ghostport ui, Chromium ── server 10.9.0.2: ghostport, sshd, drops by default
 */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import type { BrowserContext, Page } from 'playwright-core'
import { Daemon, dropByDefault, keys, SERVER, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { startUi, type UiProcess, type UiTree, uiTree } from '../support/ui.ts'
import { chromiumUnavailable, startChromium, type TestBrowser } from './chromium.ts'
import { motionsIn, movesIn, watchMoves } from './moves.ts'

const skip = chromiumUnavailable() || netnsUnavailable()
const KEY = Buffer.alloc(32, 7).toString('base64')

describe('the page of ghostport ui', { skip }, () => {
  let net: Network
  let client: Host | undefined
  let daemon: Daemon
  let tree: UiTree
  let chromium: TestBrowser
  let home: string
  let ui: UiProcess
  let context: BrowserContext
  let tab: Page
  const complaints: string[] = []

  before(async () => {
    net = await Network.create()
    const made = await Promise.all([net.host('client'), net.host('server')])
    const [clientHost, serverHost] = made
    client = clientHost
    await net.link(clientHost, ['10.9.0.1/24'], serverHost, [`${SERVER}/24`])
    dropByDefault(serverHost)
    home = net.directory()
    const sshd = join(home, 'sshd_config')
    serverHost.must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(home, 'host')])
    mkdirSync('/run/sshd', { recursive: true })
    writeFileSync(sshd, `Port 22\nPort 2222\nHostKey ${join(home, 'host')}\nUsePAM no\nPidFile none\n`)
    await serverHost.start(['/usr/sbin/sshd', '-D', '-e', '-f', sshd]).says(/listening on 0\.0\.0\.0 port 22/)
    daemon = await Daemon.start(net, serverHost, { access: stanza(['OPEN_PORTS tcp/22,tcp/2222']) })
    const lines = ['# mine', '[office]', `SPA_SERVER ${SERVER}`, 'ACCESS tcp/22', 'ALLOW_IP source', 'FW_TIMEOUT 30']
    const secrets = [`KEY_BASE64 ${base64(keys.key)}`, `HMAC_KEY_BASE64 ${base64(keys.hmac)}`]
    writeFileSync(join(home, '.fwknoprc'), `${[...lines, ...secrets].join('\n')}\n`, { mode: 0o600 })
    tree = await uiTree()
    ui = await startUi(tree, home, [], clientHost)
    chromium = await startChromium(clientHost, ['--host-resolver-rules=MAP evil.example 127.0.0.1'])
    context = await chromium.browser.newContext({ viewport: { width: 1100, height: 800 } })
    await watchMoves(context)
    tab = await newTab()
  })
  after(async () => {
    await chromium?.[Symbol.asyncDispose]()
    await ui?.[Symbol.asyncDispose]()
    await daemon?.stop()
    tree?.[Symbol.dispose]()
    await net?.close()
  })

  async function newTab(): Promise<Page> {
    const made = await context.newPage()
    made.setDefaultTimeout(10_000)
    made.on('console', (message) => {
      // Refusals are told by their status. Not every browser knows every power that is forbidden.
      const isUsual = /status of (?:409|422)|Permissions-Policy/.test(message.text())
      if (/^(warning|error)$/.test(message.type()) && !isUsual) complaints.push(message.text())
    })
    made.on('pageerror', (error) => complaints.push(error.message))
    return made
  }
  const rc = (): string => readFileSync(join(home, '.fwknoprc'), 'utf8')

  it('opens from the file alone; the token is in no address', async () => {
    await tab.goto(pathToFileURL(ui.launchFile).href)
    await tab.getByRole('heading', { name: 'Doors' }).waitFor()
    assert.equal(tab.url(), `${ui.origin}/`)
    assert.ok(!existsSync(ui.launchFile))
    // Loaded again, it is still the same tab.
    await tab.reload()
    await tab.getByRole('heading', { name: 'office' }).waitFor()
    assert.equal(await tab.evaluate(() => document.cookie), '')
    assert.ok(!(await tab.content()).includes(base64(keys.key)))
  })

  it('from the click to the banner of ssh, with the proof and its time', async () => {
    assert.notEqual(await client?.tcp(SERVER, 22), 'open')
    const started = performance.now()
    await tab.getByRole('button', { name: 'Open' }).click()
    await tab.getByText(new RegExp(`Open: port 22 of ${SERVER}, after \\d+ ms`)).waitFor()
    const took = performance.now() - started
    assert.ok(took < 3_000, `${took} ms`)
    await tab.getByText(/It was tried at .*, and answered/).waitFor()
    await tab.getByRole('timer', { name: /Asked for until / }).waitFor()
    await tab
      .locator('.ring .time')
      .filter({ hasText: /^0:(30|29|28|27)$/ })
      .waitFor()
    // Again: it proves nothing, and the page says so.
    await tab.getByRole('button', { name: 'Extend' }).click()
    await tab.getByText(`Port 22 of ${SERVER} is still open, since the knock before.`).waitFor()
  })

  it('closes a door by a tap, and shows that it is shut', async () => {
    await tab.getByRole('button', { name: 'Close now' }).click()
    await tab.getByText(`Closed: port 22 of ${SERVER} does not answer any more.`).waitFor()
    assert.equal(await tab.getByRole('timer').count(), 0)
    assert.notEqual(await client?.tcp(SERVER, 22), 'open')
    assert.deepEqual(daemon.status().grants, [])
    // The next test finds it open.
    await tab.getByRole('button', { name: 'Open' }).click()
    await tab.getByRole('timer').waitFor()
  })

  it('can be used by keyboard alone, and moves nothing', async () => {
    const focused = () => tab.evaluate(() => document.activeElement?.textContent ?? '')
    const tabTo = async (name: string) => {
      for (let i = 0; i < 30 && !(await focused()).startsWith(name); i++) await tab.keyboard.press('Tab')
      assert.match(await focused(), new RegExp(`^${name}`))
    }
    await home_()
    await tab.getByRole('heading', { name: 'Doors' }).focus()
    await tabTo('office')
    await tab.keyboard.press('Enter')
    await tab.getByRole('heading', { name: 'office', exact: true }).waitFor()
    assert.equal(await focused(), 'office')
    await movesIn(tab)
    await tabTo('Extend')
    await tab.keyboard.press('Enter')
    await tab.getByText('is still open, since the knock before').waitFor()
    assert.equal(await focused(), 'Extend')
    await tabTo('Close now')
    await tab.keyboard.press('Enter')
    await tab.getByText('does not answer any more').waitFor()
    assert.equal(await focused(), 'Open')
    await tab.keyboard.press('Enter')
    await tab.getByText(/^Open: port 22 of/).waitFor()
    assert.deepEqual(await movesIn(tab), [])
  })

  it('keeps a door open, by new knocks before its time ends', async () => {
    writeFileSync(
      join(home, '.fwknoprc'),
      `${rc()}\n${rc().replace('# mine\n', '').replace('[office]', '[short]').replace('tcp/22', 'tcp/2222').replace('TIMEOUT 30', 'TIMEOUT 4')}`,
    )
    await tab.goto(`${ui.origin}/#/door/short`)
    await tab.reload()
    await tab.getByRole('button', { name: 'Open' }).click()
    await tab.getByLabel('Keep it open').check()
    // Knocked again after half of the time: so it is open for longer than was asked for at first.
    await tab.waitForFunction(() => document.querySelectorAll('[role=timer]').length > 0)
    await delay(5_000)
    await tab.getByText('is still open, since the knock before').waitFor()
    assert.equal(await tab.getByRole('timer').count(), 1)
    await tab.getByLabel('Keep it open').uncheck()
    await tab.goto(`${ui.origin}/#/door/office`)
    await tab.reload()
    await tab.getByRole('button', { name: 'Open' }).click()
    await tab.getByRole('timer').waitFor()
  })

  it('runs a program afterwards, which was shown word by word first', async () => {
    const script = join(home, 'read banner.cjs')
    writeFileSync(
      script,
      `const [address, port, file] = process.argv.slice(2)
       require('node:net').connect(Number(port), address).once('data', (banner) => {
         const { writeFileSync, renameSync } = require('node:fs')
         // It is there only when it is whole.
         writeFileSync(file + '.part', banner); renameSync(file + '.part', file); process.exit() })`,
    )
    const argv = [process.execPath, script, '{address}', '{port}', join(home, 'banner of {port}')]
    await tab.getByRole('link', { name: 'Edit' }).click()
    await tab.getByLabel('Program to run').fill(argv.join('\n'))
    await tab.getByRole('button', { name: 'Save' }).click()
    await tab.getByRole('button', { name: 'Extend' }).click()
    await tab.getByText('Run this program?').waitFor()
    const words = await tab.locator('.words li').allTextContents()
    assert.deepEqual(words, [process.execPath, script, SERVER, '22', join(home, 'banner of 22')])
    assert.ok(!existsSync(join(home, 'banner of 22')))
    await tab.getByRole('button', { name: 'Run it' }).click()
    await tab.getByText(/Started: /).waitFor()
    const banner = join(home, 'banner of 22')
    for (let i = 0; i < 100 && !existsSync(banner); i++) await delay(30)
    assert.match(readFileSync(banner, 'utf8'), /^SSH-2\.0-OpenSSH/)
    assert.ok(!rc().includes('banner'), 'it is not in the rc file')
  })

  it('imports what “ghostport user add” gives out, edits it, exports it, and removes it', async () => {
    await home_()
    await tab.getByRole('link', { name: 'Import' }).click()
    const key = KEY.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
    const profile = `ghostport://profile/1?name=lab&server=192.0.2.7&open=tcp/443&allow=source&key=${key}&made=1764150000`
    await tab.getByRole('textbox', { name: 'The profile' }).fill(profile)
    await tab.getByRole('button', { name: 'Read it' }).click()
    await tab.getByText('192.0.2.7').waitFor()
    assert.doesNotMatch(rc(), /\[lab\]/)
    await tab.getByRole('button', { name: 'Add this profile' }).click()
    await tab.getByRole('heading', { name: 'lab', exact: true }).waitFor()
    assert.match(rc(), /^# mine\n\[office\]\n[\s\S]*\n\[lab\]\nSPA_SERVER +192\.0\.2\.7\n/)

    await tab.getByRole('link', { name: 'Edit' }).click()
    await tab.getByLabel('Ports to open').fill('tcp/70000')
    await tab.getByRole('button', { name: 'Save' }).click()
    await tab.getByText('70000').waitFor()
    await tab.getByLabel('Ports to open').fill('tcp/8443')
    await tab.getByLabel('Name', { exact: true }).fill('laboratory')
    await tab.getByRole('button', { name: 'Save' }).click()
    await tab.getByRole('heading', { name: 'laboratory', exact: true }).waitFor()
    assert.match(rc(), /\[laboratory\]\n[\s\S]*ACCESS +tcp\/8443\n/)

    await tab.getByRole('link', { name: 'Export' }).click()
    assert.ok(!(await tab.content()).includes(key))
    await tab.getByRole('button', { name: 'Show the keys' }).click()
    const line = await tab.getByLabel('Line of the profile').inputValue()
    assert.match(line, /^ghostport:\/\/profile\/1\?name=laboratory&server=192\.0\.2\.7&/)
    assert.ok(line.includes(key))
    assert.match(await tab.getByLabel('Text for a .fwknoprc').inputValue(), /^\[laboratory\]\nSPA_SERVER/)
    await readCode()

    await home_()
    await tab.getByRole('link', { name: 'laboratory' }).click()
    await tab.getByRole('link', { name: 'Edit' }).click()
    await tab.getByRole('button', { name: 'Remove this door' }).click()
    await tab.getByRole('button', { name: 'Remove it' }).click()
    await tab.getByRole('heading', { name: 'Doors' }).waitFor()
    assert.doesNotMatch(rc(), /laboratory/)
  })

  it('makes a door with new keys, and shows the server its half', async () => {
    await home_()
    await tab.getByRole('link', { name: 'New door' }).click()
    await tab.getByLabel('Name', { exact: true }).fill('made here')
    await tab.getByLabel('Server', { exact: true }).fill('192.0.2.10')
    await tab.getByLabel('Ports to open').fill('tcp/22,udp/53')
    await tab.getByRole('button', { name: 'Make new keys' }).click()
    await tab.getByRole('button', { name: 'Save' }).click()
    await tab.getByText('cannot be the name of a stanza').waitFor()
    await tab.getByLabel('Name', { exact: true }).fill('made-here')
    await tab.getByRole('button', { name: 'Save' }).click()
    await tab.getByRole('heading', { name: 'made-here', exact: true }).waitFor()
    const [, key = '', hmac = ''] =
      /\[made-here\]\n[\s\S]*\nKEY_BASE64 +(\S{44})\nHMAC_KEY_BASE64 +(\S{88})\n/.exec(rc()) ?? []
    assert.notEqual(key, '')
    await tab.getByRole('link', { name: 'Export' }).click()
    await tab.getByRole('button', { name: 'Show the keys' }).click()
    await tab.getByText('For the server').click()
    const half = await tab.getByLabel('Stanza for its access.conf').inputValue()
    const names = half
      .trim()
      .split('\n')
      .map((line) => line.split(/ +/))
    assert.deepEqual(Object.fromEntries(names), {
      ...{ SOURCE: 'ANY', NAME: 'made-here', OPEN_PORTS: 'tcp/22,udp/53' },
      ...{ KEY_BASE64: key, HMAC_KEY_BASE64: hmac },
    })
  })

  it('a text of a .fwknoprc brings no program, and fwknop’s QR text asks for the rest', async () => {
    await home_()
    await tab.getByRole('link', { name: 'Import' }).click()
    const evil = `[evil]\nSPA_SERVER 192.0.2.8\nACCESS tcp/1\nALLOW_IP source\nKEY_BASE64 ${KEY}\nUSE_GPG Y\nGPG_EXE /tmp/evil\n`
    await tab.getByRole('tab', { name: 'Picture or file' }).click()
    await tab.getByLabel('A text, or a picture').setInputFiles({
      ...{ name: 'fwknoprc', mimeType: 'text/plain', buffer: Buffer.from(evil) },
    })
    await tab.getByText('GPG_EXE').waitFor()
    await tab.getByRole('button', { name: 'Add this profile' }).click()
    await tab.getByRole('heading', { name: 'evil', exact: true }).waitFor()
    assert.doesNotMatch(rc(), /GPG_EXE/)

    await home_()
    await tab.getByRole('link', { name: 'Import' }).click()
    await tab.getByRole('textbox', { name: 'The profile' }).fill(`KEY_BASE64:${KEY}`)
    await tab.getByRole('button', { name: 'Read it' }).click()
    await tab.getByLabel('Name', { exact: true }).fill('scanned')
    await tab.getByLabel('Server').fill('192.0.2.9')
    await tab.getByRole('button', { name: 'Add this profile' }).click()
    await tab.getByRole('heading', { name: 'scanned', exact: true }).waitFor()
    assert.match(rc(), /\[scanned\]\nKEY_BASE64 +\S+\nSPA_SERVER +192\.0\.2\.9\nACCESS +tcp\/22\nALLOW_IP +source\n/)
  })

  it('an access.conf gives the client its half, of each stanza that has keys', async () => {
    await home_()
    await tab.getByRole('link', { name: 'Import' }).click()
    const stanzas = ['one', 'two'].map(
      (name) => `SOURCE ANY\nNAME ${name}\nOPEN_PORTS tcp/22, tcp/443\nKEY_BASE64 ${KEY}\n`,
    )
    await tab.getByRole('textbox', { name: 'The profile' }).fill(stanzas.join('\n'))
    await tab.getByRole('button', { name: 'Read it' }).click()
    await tab.getByRole('button', { name: 'two' }).click()
    await tab.getByText('tcp/22, tcp/443').waitFor()
    await tab.getByLabel('Server').fill('192.0.2.11')
    await tab.getByRole('button', { name: 'Add this profile' }).click()
    await tab.getByRole('heading', { name: 'two', exact: true }).waitFor()
    assert.match(rc(), /\[two\]\nACCESS +tcp\/22,tcp\/443\nKEY_BASE64 +\S+\nSPA_SERVER +192\.0\.2\.11\n/)
    assert.doesNotMatch(rc(), /\[one\]/)
  })

  it('keeps a history, and notices what somebody else writes into the file', async () => {
    await home_()
    await tab.getByRole('link', { name: 'History' }).click()
    await tab.getByText('was open before').first().waitFor()
    const text = (await tab.locator('main').textContent()) ?? ''
    assert.match(
      text,
      new RegExp(`office\\s*opened[\\s\\S]*port 22 of ${SERVER.replaceAll('.', '\\.')}, after \\d+ ms`),
    )
    await home_()
    await tab.getByRole('link', { name: 'scanned' }).click()
    await tab.getByRole('link', { name: 'Edit' }).click()
    writeFileSync(join(home, '.fwknoprc'), `${rc()}# by hand\n`)
    await tab.getByLabel('Ports to open').fill('tcp/23')
    await tab.getByRole('button', { name: 'Save' }).click()
    await tab.getByText('was changed meanwhile').waitFor()
    // What was typed is still there.
    await tab.getByRole('button', { name: 'Save' }).click()
    await tab.getByRole('heading', { name: 'scanned', exact: true }).waitFor()
    assert.match(rc(), /ACCESS +tcp\/23\n[\s\S]*# by hand\n$/)
  })

  it('has nothing that axe finds, in any view, light and dark, and no layout that is too wide', async () => {
    const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
    for (const hash of ['#/', '#/door/office', '#/edit/office', '#/share/office', '#/new', '#/import', '#/history'])
      for (const [width, colorScheme] of [
        [320, 'light'],
        [1280, 'dark'],
      ] as const) {
        await tab.setViewportSize({ width, height: 800 })
        await tab.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
        await tab.goto(`${ui.origin}/${hash}`)
        await tab.getByRole('heading').first().waitFor()
        assert.deepEqual(await motionsIn(tab), [], hash)
        assert.deepEqual(await movesIn(tab), [], `${hash}, ${width}`)
        const wide = await tab.evaluate(() => document.documentElement.scrollWidth - innerWidth)
        assert.ok(wide <= 0, `${hash}, ${width}: ${wide} too wide`)
        await tab.evaluate(axe)
        const found = await tab.evaluate(async () => {
          const { violations } = await window.axe.run(document, { resultTypes: ['violations'] })
          return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 120)}`))
        })
        assert.deepEqual(found, [], `${hash}, ${colorScheme}`)
      }
    assert.deepEqual(complaints, [])
  })

  it('a second browser, another tab, another site and a rebound name get nothing', async () => {
    const second = await chromium.browser.newContext()
    const other = await second.newPage()
    await other.goto(ui.origin)
    await other.getByText('This tab was not opened by ghostport.').waitFor()
    assert.equal(await other.getByRole('heading', { name: 'office' }).count(), 0)
    // The same browser, a new tab: what the first one keeps is for itself.
    const beside = await newTab()
    await beside.goto(ui.origin)
    await beside.getByText('This tab was not opened by ghostport.').waitFor()
    assert.equal((await beside.goto(`http://evil.example:${new URL(ui.origin).port}/`))?.status(), 421)

    const page = join(home, 'evil.cjs')
    writeFileSync(
      page,
      `require('node:http').createServer((_, answer) => answer.setHeader('content-type', 'text/html').end('<p>evil'))
         .listen(8099, '127.0.0.1', () => console.log('listening'))`,
    )
    await client?.start([process.execPath, page]).says(/listening/)
    await beside.goto('http://evil.example:8099/')
    const token = await tab.evaluate(() => sessionStorage.getItem('ghostport-token'))
    assert.equal(token?.length, 43)
    const before = rc()
    const read = await beside.evaluate(
      async ([origin, stolen]) => {
        const tries = [
          { path: '/api/state', headers: { authorization: `Bearer ${stolen}` } },
          { path: '/api/state', headers: {} },
          { path: '/', headers: {} },
          { path: '/api/forget', method: 'POST', mode: 'no-cors' as const, body: '{}', headers: {} },
        ]
        return await Promise.all(
          tries.map(({ path, ...how }) =>
            fetch(`${origin}${path}`, how).then(
              (answer) => `${answer.type} ${answer.status}`,
              () => 'refused',
            ),
          ),
        )
      },
      [ui.origin, token] as const,
    )
    assert.deepEqual(read, ['refused', 'refused', 'refused', 'refused'])
    assert.equal(rc(), before)
    await second.close()
    await beside.close()
  })

  it('ends with its last page', async () => {
    await context.close()
    await Promise.race([ui.ended, delay(9_000)])
    assert.equal(ui.child.exitCode, 0, ui.said())
  })

  async function home_(): Promise<void> {
    await tab.goto(`${ui.origin}/#/`)
    await tab.getByRole('heading', { name: /Doors|No door yet/ }).waitFor()
  }

  /** As another device would scan it. */
  async function readCode(): Promise<void> {
    const picture = await tab.locator('svg.code').screenshot()
    await home_()
    await tab.getByRole('link', { name: 'Import' }).click()
    await tab.getByRole('tab', { name: 'Picture or file' }).click()
    await tab
      .getByLabel('A text, or a picture')
      .setInputFiles({ name: 'code.png', mimeType: 'image/png', buffer: picture })
    await tab.getByRole('heading', { name: 'Is this right?' }).waitFor()
    assert.equal(await tab.getByText('192.0.2.7').count(), 1)
    assert.equal(await tab.getByLabel('Name', { exact: true }).inputValue(), 'laboratory')
  }
})

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
