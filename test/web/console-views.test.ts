/**
 * All views of the console in Chromium: who may see and do what; users and their keys, from the form to the open door;
 * second factors; text of strangers in each field; and how the views look.
 *
 *   client 10.9.0.1 ── server 10.9.0.2: ghostport, ssh on tcp/22, drops by default; console and Chromium
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { clientAndServer, ghostportCommand, knock, SERVER } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable } from '../support/netns.ts'
import { chromiumUnavailable, startChromium, type TestBrowser } from './chromium.ts'
import {
  CONSOLE,
  ConsoleLab,
  type ConsoleTab,
  logInByLink,
  openConsoleTab,
  readCode,
  shiftsOf,
  show,
  tokenOf,
  totp,
} from './on-the-console.ts'

/** What would run if it were taken for markup. */
const EVIL = '"><img src=x onerror=pwned=1>'
const VIEWS = [
  ['grants', 'Live grants'],
  ['stream', 'Stream of verdicts'],
  ['refusals', 'Refusals'],
  ['users', 'Users'],
  ['users/%2B', 'Add a user'],
  ['users/ada', 'ada'],
  ['invitations', 'Invitations'],
  ['policy', 'Effective policy'],
  ['doctor', 'Doctor'],
  ['mends', 'Mends'],
  ['history', 'History'],
  ['audit', 'Audit log'],
  ['account', 'Account'],
] as const
const skip = chromiumUnavailable() || netnsUnavailable()

describe('the views of ghostport console', { skip }, () => {
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
    await logInByLink(tab, lab.link('ada'))
  })
  after(async () => {
    await chromium?.[Symbol.asyncDispose]()
    await lab?.[Symbol.asyncDispose]()
    await net?.close()
  })

  it('a code from an app is set up, by scanning a code on the screen', async () => {
    // In another browser: this one has a session from before.
    const other = await openConsoleTab(chromium.browser)
    await logInByLink(other.tab, lab.link('ada'))
    await show(other.tab, 'account', 'Account')
    await other.tab.getByRole('button', { name: 'Set up codes' }).click()
    const uri = new URL(await readCode(other.tab))
    const secret = await other.tab.getByLabel('Or type this into the app').inputValue()
    assert.equal(uri.searchParams.get('secret'), secret.replaceAll(' ', ''))
    await other.tab.getByLabel('Then the six digits').fill('000000')
    await other.tab.getByRole('button', { name: 'Turn it on' }).click()
    await other.tab.getByRole('alert').locator('.notice').waitFor()
    // A code counts once. Those of the last, this and the next half minute are taken: one for each time below.
    await other.tab.getByLabel('Then the six digits').fill(totp(secret, -1))
    await other.tab.getByRole('button', { name: 'Turn it on' }).click()
    await other.tab.getByText('An app makes codes for this account.').waitFor()
    assert.deepEqual(other.complaints, [])
    await other.context.close()
    code = secret
  })

  let code = ''

  it('a user is added after a step-up, and the code on the screen opens the door', async () => {
    await show(tab, 'users', 'Users')
    await tab.getByRole('link', { name: 'Add a user' }).click()
    await tab.getByLabel('Name', { exact: true }).fill('grace-phone')
    await tab.getByLabel('Server', { exact: true }).fill(SERVER)
    await tab.getByRole('button', { name: 'Add this user' }).click()
    await stepUp()
    // The form goes on by itself.
    await tab.getByRole('heading', { name: 'Added grace-phone' }).waitFor()
    const profile = await readCode(tab)
    assert.equal(await tab.getByLabel('As one line').inputValue(), profile)
    const home = net.directory()
    const rc = ['--rc-file', join(home, 'fwknoprc')]
    client.must(ghostportCommand('client', 'add', ...rc), { input: `${profile}\n` })
    assert.equal(await client.tcp(SERVER, 22), 'timeout')
    const knocked = await lab.daemon.verdictAfter(() =>
      client.must(ghostportCommand('knock', SERVER, ...rc, '-a', '10.9.0.1')),
    )
    assert.equal(knocked.verdict, 'granted')
    assert.equal(knocked['name'], 'grace-phone')
    assert.equal(await client.tcp(SERVER, 22), 'ssh')
    await tab.getByRole('button', { name: 'Done' }).click()
    await tab.getByText('from 10.9.0.1').waitFor()
    assert.equal(await tab.locator('svg.qr').count(), 0)
  })

  it('new keys, disabling, enabling and removing: each asks first, and what was open is shut', async () => {
    await tab.getByRole('button', { name: 'New keys' }).click()
    await tab.getByRole('button', { name: 'Make new keys' }).click()
    await tab.getByText('It is shown once').waitFor()
    assert.match(await readCode(tab), /^ghostport:\/\/profile\/1\?/)
    await tab.getByRole('button', { name: 'Done' }).click()
    await tab.getByRole('button', { name: 'Disable' }).click()
    await tab.getByRole('dialog').getByRole('button', { name: 'Disable' }).click()
    await tab.getByText('The user is disabled.').waitFor()
    assert.equal(await client.tcp(SERVER, 22), 'timeout')
    await tab.getByRole('button', { name: 'Enable' }).click()
    await tab.getByText('The user is enabled.').waitFor()
    await tab.getByRole('button', { name: 'Remove' }).click()
    await tab.getByRole('button', { name: 'Cancel' }).click()
    assert.match(readFileSync(lab.daemon.path('access.conf'), 'utf8'), /grace-phone/)
    await tab.getByRole('button', { name: 'Remove' }).click()
    await tab.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
    await tab.getByRole('heading', { name: 'Users' }).waitFor()
    assert.doesNotMatch(readFileSync(lab.daemon.path('access.conf'), 'utf8'), /grace-phone/)
    assert.deepEqual(ada.complaints, [])
  })

  it('an invitation is a link that is shown once, and is taken back with its user', async () => {
    await show(tab, 'invitations', 'Invitations')
    await tab.getByRole('button', { name: 'Invite somebody' }).click()
    await tab.getByLabel('Name', { exact: true }).fill('heidi-phone')
    await tab.getByLabel('Server', { exact: true }).fill(SERVER)
    await tab.getByRole('button', { name: 'Make the link' }).click()
    await tab.getByRole('heading', { name: 'The link for heidi-phone' }).waitFor()
    const link = await tab.getByLabel('The link').inputValue()
    assert.match(link, /^ghostport:\/\/invite\/1#[0-9a-f-]{32,}$/)
    assert.equal(await readCode(tab), link)
    await tab.getByRole('heading', { name: 'heidi-phone: invited' }).waitFor()
    await tab.getByRole('button', { name: 'Cancel it, and remove the user heidi-phone' }).click()
    await tab.getByText('The invitation of heidi-phone is cancelled.').waitFor()
    assert.doesNotMatch(readFileSync(lab.daemon.path('access.conf'), 'utf8'), /heidi/)
  })

  it('the history is filtered, and comes as a file; a mend of the firewall is told', async () => {
    await knock(client, SERVER, '-A', 'tcp/3306', '-a', '10.9.0.1')
    server.must([
      ...['bash', '-c', 'nft list tables | grep ghostport | while read -r words; do nft delete $words; done'],
    ])
    await lab.daemon.until(({ event }) => event === 'firewall mended')
    await show(tab, 'history', 'History')
    await tab.getByLabel('Code').fill('ACCESS_PORT_DENIED')
    await tab.getByRole('button', { name: 'Find' }).click()
    await tab.getByRole('row', { name: 'tcp/3306 is not in OPEN_PORTS' }).waitFor()
    // The rows of before may still be there for a moment.
    await tab.getByRole('row', { name: 'Granted' }).first().waitFor({ state: 'detached' })
    assert.match(tab.url(), /#\/history\?code=ACCESS_PORT_DENIED$/)
    const [file] = await Promise.all([tab.waitForEvent('download'), tab.getByRole('button', { name: 'CSV' }).click()])
    const lines = readFileSync(await file.path(), 'utf8')
      .trim()
      .split(/\r?\n/)
    assert.equal(lines.length, 2)
    assert.match(lines[1] ?? '', /ACCESS_PORT_DENIED/)
    await show(tab, 'mends', 'Mends')
    await tab.getByText('Another program had changed ghostport’s rules').first().waitFor()
    await show(tab, 'audit', 'Audit log')
    await tab.getByText('The chain is whole').waitFor()
    await tab.getByText('User add grace-phone').waitFor()
    await tab.getByText('ada, from 127.0.0.1, through the console').first().waitFor()
    assert.deepEqual(ada.complaints, [])
  })

  it('a passkey logs in, without a link', async () => {
    const devtools = await ada.context.newCDPSession(tab)
    await devtools.send('WebAuthn.enable')
    await devtools.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        ...{ protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true },
        ...{ isUserVerified: true, automaticPresenceSimulation: true },
      },
    })
    await show(tab, 'account', 'Account')
    await tab.getByLabel('Name of a new one').fill('a laptop')
    await tab.getByRole('button', { name: 'Add a passkey' }).click()
    await tab.getByText('a laptop').first().waitFor()
    const before = await tokenOf(tab)
    await tab.getByRole('button', { name: 'Log out' }).first().click()
    await tab.getByText('You are logged out.').waitFor()
    // A token is worth nothing after that.
    assert.equal(lab.ask('/v1/session', before).status, 401)
    // A link alone is not enough now, and stays good until the code comes.
    await tab.goto(lab.link('ada'))
    await tab.getByRole('button', { name: 'Log in with this link' }).click()
    await tab.getByLabel('Six digits').fill(totp(code, 1))
    await tab.getByRole('button', { name: 'Log in with this link' }).click()
    await tab.getByRole('heading', { name: 'Live grants' }).waitFor()
    await tab.getByRole('button', { name: 'Log out' }).click()
    await tab.getByRole('button', { name: 'Use a passkey' }).click()
    await tab
      .getByRole('heading', { name: 'Live grants' })
      .or(tab.getByRole('heading', { name: 'Account' }))
      .waitFor()
    assert.notEqual(await tokenOf(tab), before)
    await devtools.detach()
  })

  it('text of strangers is text: in each field, in each view', async () => {
    // As if all that the console says came from a stranger.
    const other = await openConsoleTab(chromium.browser)
    lab.addAccount('eve', 'administrator')
    await logInByLink(other.tab, lab.link('eve'))
    await other.tab.evaluate(poisonAnswers, EVIL)
    await knock(client, SERVER, '-A', 'tcp/3306', '-a', '10.9.0.1')
    for (const [view, heading] of VIEWS.filter(([name]) =>
      /^(?:refusals|users|policy|doctor|history|audit)$/.test(name),
    )) {
      await show(other.tab, view, heading)
      await other.tab.locator('main').getByText(EVIL).filter({ visible: true }).first().waitFor({ timeout: 30_000 })
    }
    assert.equal(await other.tab.evaluate(() => 'pwned' in window), false)
    assert.deepEqual([...ada.complaints, ...other.complaints], [])
    await other.context.close()
  })

  it('a viewer sees no button that changes anything, and is refused by the server too', async () => {
    lab.addAccount('vera', 'viewer')
    const vera = await openConsoleTab(chromium.browser)
    await logInByLink(vera.tab, lab.link('vera'))
    await lab.enter(client)
    await vera.tab.getByRole('row', { name: '10.9.0.1' }).waitFor()
    const ways = await vera.tab.getByRole('navigation').getByRole('link').allTextContents()
    assert.ok(!ways.includes('Audit log'), ways.join())
    for (const [view, heading] of VIEWS.filter(([name]) => name !== 'audit')) {
      await show(vera.tab, view, heading)
      await vera.tab.waitForTimeout(200)
      const buttons = (await vera.tab.locator('main').getByRole('button').allTextContents()).join()
      assert.doesNotMatch(buttons, /Extend|End|Add a user|New keys|Disable|Remove$|Invite|Confirm|Read the files/, view)
    }
    const bearer = await tokenOf(vera.tab)
    const tries = [
      ['/v1/revoke', { word: 'ada' }],
      ['/v1/grants/extend', { grant: 'g:00000000', seconds: 60 }],
      ['/v1/reload', {}],
      ['/v1/users', { name: 'mallory', open: 'tcp/22', server: SERVER }],
      ['/v1/users/remove', { name: 'ada' }],
      ['/v1/invitations', { name: 'mallory', open: 'tcp/22', server: SERVER }],
    ] as const
    for (const [path, body] of tries) assert.equal(lab.ask(path, bearer, body).status, 403, path)
    assert.equal(lab.ask('/v1/audit', bearer).status, 403)
    assert.equal(await client.tcp(SERVER, 22), 'ssh')
    assert.deepEqual(vera.complaints, [])
    await vera.context.close()
  })

  it('has nothing that axe finds, in any view, light and dark; nothing moves by itself, and nothing is too wide', async () => {
    const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
    await lab.enter(client)
    const first = await openConsoleTab(chromium.browser, { width: 320, height: 640 })
    await first.tab.goto(CONSOLE)
    await first.tab.getByRole('heading', { name: 'Log in' }).waitFor()
    await looksGood(first.tab, 'login', axe)
    lab.addAccount('axel', 'administrator')
    await logInByLink(first.tab, lab.link('axel'))
    for (const [view, heading] of VIEWS) {
      await show(first.tab, view, heading)
      await first.tab.waitForTimeout(400)
      await looksGood(first.tab, view, axe)
    }
    assert.deepEqual(await shiftsOf(first.tab), [])
    assert.deepEqual(first.complaints, [])
    await first.context.close()
  })

  async function stepUp(): Promise<void> {
    const dialog = tab.getByRole('dialog', { name: 'Is it you?' })
    await dialog.waitFor()
    await dialog.getByLabel('Six digits').fill('000000')
    await dialog.getByRole('button', { name: 'Go on' }).click()
    await dialog.getByRole('alert').locator('.notice').waitFor()
    await dialog.getByLabel('Six digits').fill(totp(code))
    await dialog.getByRole('button', { name: 'Go on' }).click()
    await dialog.waitFor({ state: 'detached' })
  }
})

/** In the page: each text of each answer has markup behind it. Times and the words that decide something stay. */
function poisonAnswers(evil: string): void {
  const stays = /^(?:at|time|role|state|level|verdict|last|expires|until)$/
  const poisoned = (value: unknown, name = ''): unknown => {
    if (typeof value === 'string') return stays.test(name) ? value : `${value}${evil}`
    if (Array.isArray(value)) return value.map((one) => poisoned(one, name))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, poisoned(one, key)]))
  }
  const read = Response.prototype.json
  Response.prototype.json = async function (this: Response) {
    return poisoned(await read.call(this))
  }
}

async function looksGood(tab: Page, view: string, axe: string): Promise<void> {
  const wide = await tab.evaluate(() => document.documentElement.scrollWidth - innerWidth)
  assert.ok(wide <= 0, `${view}: ${wide} too wide`)
  await tab.evaluate(axe)
  for (const colorScheme of ['light', 'dark'] as const) {
    await tab.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    // The second time, only colours are others.
    const only = colorScheme === 'dark' ? { runOnly: ['color-contrast'] } : {}
    const found = await tab.evaluate(async (options) => {
      const { violations } = await window.axe.run(document, { resultTypes: ['violations'], ...options })
      return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 120)}`))
    }, only)
    assert.deepEqual(found, [], `${view}, ${colorScheme}`)
  }
}
