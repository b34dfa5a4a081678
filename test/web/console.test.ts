/**
 * The page of `ghostport console` in Chromium, with a real console, a real server, and knocks from another host.
 *
 *   client 10.9.0.1 ── server 10.9.0.2: ghostport, ssh on tcp/22, drops by default; console and Chromium
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import { encodeBase64 } from '../../src/bytes/base64.ts'
import { encodeText } from '../../src/bytes/text.ts'
import { macOf } from '../../src/packet/authenticate.ts'
import { encrypt } from '../../src/packet/cipher.ts'
import { encodeFields } from '../../src/packet/fields.ts'
import { WIRE_PREFIX } from '../../src/packet/wire-limits.ts'
import { EncryptionKey, HmacKey, parseKeyText } from '../../src/packet.ts'
import { clientAndServer, ghostportCommand, keys, SERVER, sendPacket } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { must } from '../support/results.ts'
import { chromiumUnavailable, startChromium, type TestBrowser } from './chromium.ts'
import {
  CONSOLE,
  ConsoleLab,
  type ConsoleTab,
  logInByLink,
  newConsoleTab,
  openConsoleTab,
  shiftsOf,
  show,
  tokenOf,
} from './on-the-console.ts'

/** What would run if it were taken for markup. */
const EVIL = '"><img src=x onerror=pwned=1>'
const skip = chromiumUnavailable() || netnsUnavailable()

describe('the page of ghostport console', { skip }, () => {
  let net: Network
  let client: Host
  let server: Host
  let lab: ConsoleLab
  let chromium: TestBrowser
  let ada: ConsoleTab
  let tab: Page

  before(async () => {
    net = await Network.create()
    ;[client, server] = await clientAndServer(net)
    ;[lab, chromium] = await Promise.all([ConsoleLab.start(net, server), startChromium(server)])
    lab.addAccount('ada', 'administrator')
    ada = await openConsoleTab(chromium.browser)
    tab = ada.tab
  })
  after(async () => {
    await chromium?.[Symbol.asyncDispose]()
    await lab?.[Symbol.asyncDispose]()
    await net?.close()
  })

  it('a link logs in when its button is pressed, and is gone from the address at once', async () => {
    const link = lab.link('ada')
    // What opens the address alone, such as the preview of a chat, spends nothing.
    const preview = await openConsoleTab(chromium.browser)
    await preview.tab.goto(link)
    await preview.tab.getByText('Your link is here').waitFor()
    await preview.context.close()

    await tab.goto(link)
    await tab.getByText('Your link is here').waitFor()
    assert.equal(tab.url(), `${CONSOLE}/`)
    await tab.getByRole('button', { name: 'Log in with this link' }).click()
    await tab.getByRole('heading', { name: 'Live grants' }).waitFor()
    await tab
      .getByRole('link', { name: 'server is up' })
      .or(tab.getByRole('link', { name: 'to look at' }))
      .waitFor()
    assert.equal(await tab.evaluate(() => document.cookie), '')
    assert.deepEqual(await tab.evaluate(() => Object.keys(localStorage)), [])
    // The same tab, loaded again, is still in. The link is not good twice.
    await tab.reload()
    await tab.getByRole('heading', { name: 'Live grants' }).waitFor()
    const again = await openConsoleTab(chromium.browser)
    await again.tab.goto(link)
    await again.tab.getByRole('button', { name: 'Log in with this link' }).click()
    await again.tab.getByText('This login is not good').waitFor()
    await again.context.close()
  })

  it('shows a grant as it comes, counts down, extends it, and ends it', async () => {
    await tab.getByText('Nothing is open').waitFor()
    await lab.enter(client, '-U', "o'hara & sons")
    const row = tab.getByRole('row', { name: '10.9.0.1' })
    await row.getByText('tcp/22').waitFor()
    await row.getByText("o'hara & sons").waitFor()
    assert.equal(await client.tcp(SERVER, 22), 'ssh')
    const first = await secondsLeft(tab)
    assert.ok(first > 40 && first <= 60, `${first}`)
    await delay(2_100)
    const later = await secondsLeft(tab)
    assert.ok(later < first && later >= first - 6, `${first} ${later}`)

    await row.getByRole('button', { name: 'Extend' }).click()
    await tab.getByLabel('From now on it lasts').selectOption({ label: '15 min' })
    await tab.getByRole('button', { name: 'Extend it' }).click()
    await tab.waitForFunction(() => /^1[45]:/.test(document.querySelector('.c-left .time')?.textContent ?? ''))
    // The server has more to say: its own limit.
    await row.getByRole('button', { name: 'Extend' }).click()
    await tab.getByLabel('From now on it lasts').selectOption({ label: '4 h' })
    await tab.getByRole('button', { name: 'Extend it' }).click()
    await tab.getByRole('alert').getByText('at most 3600 s').waitFor()
    await tab.getByRole('button', { name: 'Cancel' }).click()

    await row.getByRole('button', { name: /^End / }).click()
    await tab.getByRole('heading', { name: 'End the grant of ada?' }).waitFor()
    await tab.getByRole('button', { name: 'End it' }).click()
    await tab.getByRole('dialog').waitFor({ state: 'detached' })
    await tab.mouse.move(0, 0)
    await tab.getByText('Nothing is open').waitFor()
    assert.equal(await client.tcp(SERVER, 22), 'timeout')
    assert.deepEqual(await shiftsOf(tab), [])
  })

  it('shows each verdict with its reason, and explains a refusal', async () => {
    await show(tab, 'stream', 'Stream of verdicts')
    const packet = client
      .must(ghostportCommand(...knockWords('tcp/22'), '-T'))
      .split('\n')
      .find((line) => line.length > 140 && !line.includes(' '))
    assert.ok(packet !== undefined)
    sendPacket(client, SERVER, packet)
    await tab.getByText('tcp/22 is open for 10.9.0.1').first().waitFor()
    sendPacket(client, SERVER, packet)
    await tab.getByText('This packet was used before').first().waitFor()
    await lab.daemon.verdictAfter(() => client.run(ghostportCommand(...knockWords('tcp/3306'))))
    const row = tab.getByRole('row', { name: 'The stanza does not allow this port' }).first()
    await row.getByRole('button', { name: 'Explain' }).click()
    const dialog = tab.getByRole('dialog')
    await dialog.getByText('It is not in OPEN_PORTS, or it is in RESTRICT_PORTS').waitFor()
    await dialog.getByText('ACCESS_PORT_DENIED').first().waitFor()
    await tab.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })

    // Paused, nothing moves, and what comes is counted.
    await tab.getByRole('button', { name: 'Pause' }).click()
    const before = await tab.getByRole('row').count()
    await lab.daemon.verdictAfter(() => client.run(ghostportCommand(...knockWords('tcp/3307'))))
    await tab.getByText(/^[1-9]\d* new$/).waitFor()
    assert.equal(await tab.getByRole('row').count(), before)
    await tab.getByRole('button', { name: 'Go on' }).click()
    await tab.getByText('3307').first().waitFor()
    await tab.getByLabel('Filter').fill('3307')
    await tab.getByText('1 shown').waitFor()
    await tab.getByLabel('Filter').fill('')
    assert.deepEqual(ada.complaints, [])
  })

  it('text of strangers is text: in each field, in each view', async () => {
    // A key holder whose client checks nothing: the server quotes the name where it refuses it.
    await lab.daemon.verdictAfter(() => sendPacket(client, SERVER, evilPacket(EVIL)))
    await tab.getByText(EVIL).first().waitFor()
    await tab.getByRole('row', { name: EVIL }).first().getByRole('button', { name: 'Explain' }).click()
    await tab.getByRole('dialog').getByText(EVIL).first().waitFor()
    await tab.keyboard.press('Escape')
    assert.equal(await tab.evaluate(() => 'pwned' in window), false)
    assert.deepEqual(ada.complaints, [])
  })

  it('tabs of one browser share a session and a stream, and end together', async () => {
    const streams: string[] = []
    ada.context.on('request', (request) => {
      if (request.url().endsWith('/v1/stream')) streams.push(request.url())
    })
    const second = await newConsoleTab(ada.context, [])
    await second.goto(`${CONSOLE}/#/grants`)
    await second.getByRole('row', { name: '10.9.0.1' }).waitFor()
    assert.equal(streams.length, 0, 'the second tab has no stream of its own')
    // What comes by the one stream is in both.
    await show(tab, 'grants', 'Live grants')
    await tab.getByRole('row', { name: '10.9.0.1' }).getByRole('button', { name: /^End / }).click()
    await tab.getByRole('button', { name: 'End it' }).click()
    await second.getByText('Nothing is open').waitFor()
    // The tab that reads is closed: another one takes over, and misses nothing.
    const third = await newConsoleTab(ada.context, [])
    await third.goto(`${CONSOLE}/#/grants`)
    await third.getByText('Nothing is open').waitFor()
    await tab.close()
    await lab.enter(client)
    await second.getByRole('row', { name: '10.9.0.1' }).waitFor()
    await third.getByRole('row', { name: '10.9.0.1' }).waitFor()
    assert.equal(streams.length, 1)
    const bearer = await tokenOf(second)
    assert.equal(lab.ask('/v1/session', bearer).status, 200)
    await second.getByRole('button', { name: 'Log out' }).click()
    await third.getByRole('heading', { name: 'The console of ghostport' }).waitFor()
    assert.equal(lab.ask('/v1/session', bearer).status, 401)
    assert.equal(lab.ask('/v1/revoke', bearer, { word: 'ada' }).status, 401)
    assert.equal(await third.evaluate(() => sessionStorage.length), 0)
    await second.close()
    tab = third
    await logInByLink(tab, lab.link('ada'))
  })

  it('can be used by the keyboard alone', async () => {
    const { keyboard } = tab
    const press = async (times: number, key: string) => {
      for (let i = 0; i < times; i++) await keyboard.press(key)
    }
    await tab.reload()
    await tab.getByRole('row', { name: '10.9.0.1' }).waitFor()
    // The first stop leads past the menu.
    await press(1, 'Tab')
    assert.equal(await focused(tab), 'To the content')
    await press(1, 'Enter')
    assert.equal(await focused(tab), 'Live grants')
    for (let i = 0; i < 12 && !(await focused(tab)).startsWith('End'); i++) await press(1, 'Tab')
    await press(1, 'Enter')
    await tab.getByRole('dialog', { name: /^End the grant/ }).waitFor()
    // The focus stays in the dialog, and comes back when it is closed.
    await press(8, 'Tab')
    assert.ok(await tab.evaluate(() => document.activeElement?.closest('dialog') !== undefined))
    await press(1, 'Escape')
    await tab.getByRole('dialog').waitFor({ state: 'detached' })
    assert.match(await focused(tab), /^End/)
    await press(1, 'Enter')
    for (let i = 0; i < 5 && (await focused(tab)) !== 'End it'; i++) await press(1, 'Tab')
    await press(1, 'Enter')
    await tab.getByText('ended', { exact: true }).waitFor()
    // The row stays while the focus is in it.
    assert.equal(await tab.getByRole('row', { name: '10.9.0.1' }).count(), 1)
    await press(1, 'Shift+Tab')
    assert.equal(await client.tcp(SERVER, 22), 'timeout')
    // A new view has the focus on its title.
    await show(tab, 'users', 'Users')
    assert.equal(await focused(tab), 'Users')
  })

  const knockWords = (ports: string): readonly string[] => [
    ...['knock', '--no-rc-file', '-D', SERVER, '--key-rijndael', 'a key for tests', '--key-hmac'],
    ...['another key for tests', '-A', ports, '-a', '10.9.0.1'],
  ]
})

/** A packet of {@link keys} with a user name that no client of ours sends. */
function evilPacket(username: string): string {
  const key = must(parseKeyText(EncryptionKey, keys.key))
  const hmac = must(parseKeyText(HmacKey, keys.hmac))
  const fields = {
    ...{ randVal: '4711471147114711', username, timestamp: Math.floor(Date.now() / 1000), version: '3.0.0' },
    ...{ messageType: 1 as const, message: '10.9.0.1,tcp/22', natAccess: null, serverAuth: null, clientTimeout: 0 },
  }
  const plaintext = encodeFields(fields, { digestType: 'sha256', padded: false })
  const salt = crypto.getRandomValues(new Uint8Array(8))
  const encoded = encodeBase64(encrypt(plaintext, { key, mode: 'CBC' }, salt))
  const tag = encodeBase64(macOf(hmac, 'sha256')(encodeText(encoded)))
  return encoded.slice(WIRE_PREFIX.length) + tag
}

function focused(tab: Page): Promise<string> {
  return tab.evaluate(() => document.activeElement?.textContent?.trim() ?? '')
}

async function secondsLeft(tab: Page): Promise<number> {
  const [minutes = '', seconds = ''] = ((await tab.locator('.c-left .time').first().textContent()) ?? '').split(':')
  return 60 * Number(minutes) + Number(seconds)
}
