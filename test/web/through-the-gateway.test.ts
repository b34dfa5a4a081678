/**
 * From the QR picture to the banner of ssh: Chromium on the client, the real gateway, real servers, real sshd.
 *
 *   client 10.9.1.1, fd91::1 ── gateway 10.9.1.2, fd91::2 ┬ server 10.9.0.2, fd09::2: ghostport, sshd on 22, web on 80
 *                                                         └ fwknop 10.9.2.2: the real fwknopd, ssh on 22
 *
 * The gateway is the client's router too: the servers see the client's own address.
 */
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import { startFwknopd } from '../interop/client-fwknopd.ts'
import { Daemon, dropByDefault, ghostportCommand } from '../support/daemon.ts'
import { gnupgKeys, type Keyring, makeKeyring } from '../support/gnupg.ts'
import { type Host, Network, netnsUnavailable, type Program } from '../support/netns.ts'
import { pictureOf } from './camera.ts'
import { chromiumUnavailable, startChromium, type TestBrowser, trust } from './chromium.ts'
import { add, addPasted, HMAC, KEY, openPage, profileLine, start, unfold } from './on-the-page.ts'

const SERVER = '10.9.0.2'
const FWKNOP = '10.9.2.2'
const CLIENT = '10.9.1.1'
const skip = chromiumUnavailable() || netnsUnavailable()

describe('through the gateway', { skip }, () => {
  let net: Network
  let [client, server, gatewayHost]: Host[] = []
  let daemon: Daemon
  let gateway: Program
  let keyring: Keyring
  let chromium: TestBrowser

  before(async () => {
    keyring = makeKeyring()
    net = await Network.create()
    const hosts = await Promise.all(['client', 'gateway', 'server', 'fwknop'].map((name) => net.host(name)))
    const [clientHost, middle, serverHost, fwknop] = hosts as [Host, Host, Host, Host]
    ;[client, gatewayHost, server] = [clientHost, middle, serverHost]
    await net.link(clientHost, [`${CLIENT}/24`, 'fd91::1/64'], middle, ['10.9.1.2/24', 'fd91::2/64'])
    await net.link(middle, ['10.9.0.1/24', 'fd09::1/64'], serverHost, [`${SERVER}/24`, 'fd09::2/64'])
    await net.link(middle, ['10.9.2.1/24'], fwknop, [`${FWKNOP}/24`])
    middle.sysctl({ 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 })
    for (const [host, v4, v6] of [
      [clientHost, '10.9.1.2', 'fd91::2'],
      [serverHost, '10.9.0.1', 'fd09::1'],
      [fwknop, '10.9.2.1', undefined],
    ] as const) {
      host.must(['ip', 'route', 'add', 'default', 'via', v4])
      if (v6 !== undefined) host.must(['ip', '-6', 'route', 'add', 'default', 'via', v6])
    }
    dropByDefault(serverHost)
    await startSshd(serverHost)
    await serverHost.listen([{ protocol: 'tcp', port: 80, banner: 'web' }])
    await fwknop.listen([{ protocol: 'tcp', port: 22, banner: 'ssh behind fwknopd' }])

    const folder = net.directory()
    const conf = join(folder, 'gateway.conf')
    writeFileSync(
      conf,
      [
        'LISTEN https://10.9.1.2:443, https://[fd91::2]:443',
        'HOST gate.example, v4.gate.example, v6.gate.example, echo.example',
        'ECHO_LABELS v4, v6',
        `TARGET office ${SERVER}:62201`,
        `TARGET old ${FWKNOP}:62201`,
        `STATE_FOLDER ${join(folder, 'state')}`,
        'RECEIPT_WAIT 1500',
        'USER nobody',
        '',
      ].join('\n'),
    )
    gateway = middle.start(ghostportCommand('gateway', '-c', conf))
    await gateway.says(/"event":"ready"/)
    ;[daemon, chromium] = await Promise.all([
      Daemon.start(net, serverHost, {
        server: ['GATEWAY_ADDRESSES 10.9.0.1', 'GATEWAY_RECEIPTS Y', 'ENABLE_IPT_LOCAL_NAT Y'],
        access: [
          access('OPEN_PORTS tcp/22, tcp/80'),
          'SOURCE ANY',
          'OPEN_PORTS tcp/22',
          `GPG_HOME_DIR ${keyring.home}`,
          'GPG_ALLOW_NO_PW Y',
          `GPG_FINGERPRINT_ID ${gnupgKeys.client2048.primary}, ${gnupgKeys.client25519.primary}`,
          'HMAC_KEY an hmac key for gnupg',
          '',
        ].join('\n'),
      }),
      startChromium(clientHost, [
        '--host-resolver-rules=MAP gate.example 10.9.1.2, MAP echo.example 10.9.1.2, MAP v4.gate.example 10.9.1.2, MAP v6.gate.example [fd91::2]',
        trust(join(folder, 'state', 'certificate.pem')),
      ]),
      startFwknopd(net, fwknop, [
        [
          ['SOURCE', 'ANY'],
          ['OPEN_PORTS', 'tcp/22'],
          ['KEY_BASE64', KEY],
          ['HMAC_KEY_BASE64', HMAC],
          ['FW_ACCESS_TIMEOUT', '30'],
        ],
      ]),
    ])
  })
  after(async () => {
    await chromium?.[Symbol.asyncDispose]()
    await net?.close()
    keyring?.remove()
  })

  const access = (...lines: readonly string[]) =>
    ['SOURCE ANY', `KEY_BASE64 ${KEY}`, `HMAC_KEY_BASE64 ${HMAC}`, 'FW_ACCESS_TIMEOUT 30', ...lines, ''].join('\n')

  async function startSshd(host: Host): Promise<void> {
    const folder = net.directory()
    host.must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'host')])
    copyFileSync(join(folder, 'host.pub'), join(folder, 'authorized'))
    mkdirSync('/run/sshd', { recursive: true })
    const lines = [`HostKey ${join(folder, 'host')}`, 'UsePAM no', 'PidFile none', 'Port 22']
    writeFileSync(join(folder, 'sshd_config'), `${lines.join('\n')}\n`)
    await host.start(['/usr/sbin/sshd', '-D', '-e', '-f', join(folder, 'sshd_config')]).says(/Server listening on/)
  }

  it('a picture of the code of “ghostport user add” opens ssh, with proof', async (t) => {
    const profile = join(net.directory(), 'ada-phone.profile')
    const files = ['-c', daemon.path('fwknopd.conf'), '-a', daemon.path('access.conf')]
    const way = ['--gateway', 'https://gate.example', '--gateway-target', 'office', '--profile-file', profile]
    server?.must(ghostportCommand('user', 'add', 'ada-phone', ...files, '--server', SERVER, '--open', 'tcp/22', ...way))
    await daemon.until(({ event }) => event === 'reload')
    await using page = await openPage(chromium.browser, 'https://gate.example/')
    const { tab } = page
    await start(tab)
    await add(tab)
    await tab.getByRole('tab', { name: 'Picture or file' }).click()
    await tab.locator('input[type=file]').setInputFiles(pictureOf(readFileSync(profile, 'utf8').trim()))
    await unfold(tab, 'On this device')
    await tab.getByLabel('Other services').fill('https://echo.example')
    await tab.getByRole('button', { name: 'Add this profile' }).click()
    await tab.getByText('2 agree').waitFor()
    await tab.getByText(CLIENT).waitFor()
    // Found without being asked for: the gateway says which of its names have one family alone.
    await tab.getByText('fd91::1').waitFor()

    assert.equal(await client?.tcp(SERVER, 22), 'timeout')
    await tab.getByRole('button', { name: 'Open', exact: true }).click()
    await tab.getByText(/^Open until .* says the server/).waitFor()
    assert.match((await client?.tcp(SERVER, 22)) ?? '', /^SSH-2\.0/)
    assert.match((await client?.tcp('fd09::2', 22)) ?? '', /^SSH-2\.0/)
    assert.equal(await gatewayHost?.tcp(SERVER, 22), 'timeout')

    t.diagnostic(`from the click to the grant: median ${await clickToGrant(tab)} ms`)

    // What the gateway logs at its start is what the page shows of itself.
    await tab.getByRole('link', { name: /Page from/ }).click()
    const hash = await tab.locator('[data-bundle]').getAttribute('data-bundle')
    assert.ok(gateway.output.includes(`"page":"${hash}"`), `${hash}\n${gateway.output}`)
    // The copy on this device was made: all its files came from the gateway.
    assert.match(`${await tab.evaluate(async () => (await navigator.serviceWorker.ready).active?.state)}`, /^activat/)
    assert.deepEqual(page.complaints, [])
  })

  /** Of some knocks for other devices, in milliseconds of this machine's one clock. Told, and not asserted. */
  async function clickToGrant(tab: Page): Promise<number> {
    await tab.evaluate(() => {
      const note = () => document.documentElement.setAttribute('data-clicked', `${Date.now()}`)
      addEventListener('click', note, { capture: true })
    })
    await tab.getByText('More', { exact: true }).click()
    const times: number[] = []
    for (let i = 0; i < 7; i++) {
      await tab.getByRole('textbox', { name: 'For another device' }).fill(`10.9.1.${50 + i}`)
      const extend = tab.getByRole('button', { name: 'Extend' })
      const granted = await daemon.verdictAfter(() => extend.click())
      const clicked = await tab.locator('html').getAttribute('data-clicked')
      times.push(Date.parse(`${granted['time']}`) - Number(clicked))
    }
    return times.sort((a, b) => a - b)[3] ?? Number.NaN
  }

  it('“Extend” prolongs, and “Close now” shuts the door, each with proof', async () => {
    // What another stanza opened for this client would keep the door open.
    server?.run(ghostportCommand('revoke', CLIENT, '--socket', daemon.path('state/control.sock')))
    await using page = await openPage(chromium.browser, 'https://echo.example/')
    const { tab } = page
    await start(tab)
    await addPasted(tab, profileLine().replace('192.0.2.9', SERVER))
    await tab.getByText(CLIENT).waitFor()
    await tab.getByRole('button', { name: 'Open', exact: true }).click()
    const said = tab.getByText(/^Open until .* says the server/)
    await said.waitFor()
    const first = (await said.innerText()).replace(/^.*until (\S+),.*$/s, '$1')
    const leftAt = () => daemon.status().grants.find(({ for: source }) => source === CLIENT)?.secondsLeft ?? 0
    await delay(2_100)
    const before = leftAt()
    await tab.getByRole('button', { name: 'Extend' }).click()
    await tab
      .getByText(/^Open until .* says the server/)
      .filter({ hasNotText: first })
      .waitFor()
    assert.ok(leftAt() > before, `${before} s, and then ${leftAt()} s`)
    assert.match((await client?.tcp(SERVER, 22)) ?? '', /^SSH-2\.0/)
    await tab.getByRole('button', { name: 'Close now' }).click()
    await tab.getByText('Closed, says the server.').waitFor()
    assert.equal(await client?.tcp(SERVER, 22), 'timeout')
    assert.equal(leftAt(), 0)
    assert.deepEqual(page.complaints, [])
  })

  it('a ghost service: ssh on the port of the web server, for this client alone', async () => {
    await using page = await openPage(chromium.browser, 'https://echo.example/')
    const { tab } = page
    await start(tab)
    const keys = [`KEY_BASE64 ${KEY}`, `HMAC_KEY_BASE64 ${HMAC}`]
    const lines = [`SPA_SERVER ${SERVER}`, 'ACCESS tcp/22', 'NAT_LOCAL Y', 'NAT_PORT 80', ...keys]
    await addPasted(tab, `[ghost]\n${lines.join('\n')}\n`)
    await tab.getByText(CLIENT).waitFor()
    await tab.getByRole('button', { name: 'Open', exact: true }).click()
    await tab.getByText(/^Open until .* says the server/).waitFor()
    assert.match((await client?.tcp(SERVER, 80)) ?? '', /^SSH-2\.0/)
    assert.equal(await tab.getByRole('link', { name: 'ssh://' }).getAttribute('href'), `ssh://${SERVER}:80`)
  })

  it('what the server refuses is told by its code', async () => {
    await using page = await openPage(chromium.browser, 'https://echo.example/')
    await start(page.tab)
    await addPasted(page.tab, profileLine('tcp/23'))
    await page.tab.getByText(CLIENT).waitFor()
    await page.tab.getByRole('button', { name: 'Open', exact: true }).click()
    await page.tab.getByText('ACCESS_PORT_DENIED').waitFor()
  })

  it('opens the door of a real fwknopd, which proves nothing', async () => {
    await using page = await openPage(chromium.browser, 'https://echo.example/')
    const { tab } = page
    await start(tab)
    await add(tab)
    await tab.getByRole('tab', { name: 'Paste' }).click()
    await tab.getByRole('textbox', { name: 'The profile' }).fill(profileLine().replace('192.0.2.9', FWKNOP))
    await tab.getByRole('button', { name: 'Read it' }).click()
    await tab.getByLabel('Name of the server').fill('old')
    await tab.getByRole('button', { name: 'Add this profile' }).click()
    await tab.getByText(CLIENT).waitFor()
    assert.equal(await client?.tcp(FWKNOP, 22), 'refused')
    await tab.getByRole('button', { name: 'Open', exact: true }).click()
    await tab.getByText('There is no proof that it opened').waitFor()
    await client?.until('ssh behind fwknopd', { protocol: 'tcp', address: FWKNOP, port: 22 })
  })

  it('seals by GnuPG for a server with gpg, and refuses keys that fit no packet', async () => {
    const armored = (...words: readonly string[]) => keyring.gpg('--armor', ...words)
    await using page = await openPage(chromium.browser, 'https://echo.example/')
    const { tab } = page
    await start(tab)
    await add(tab)
    await tab.getByRole('tab', { name: 'Paste' }).click()
    const lines = [
      `SPA_SERVER ${SERVER}`,
      'ACCESS tcp/22',
      'USE_GPG Y',
      `HMAC_KEY_BASE64 ${btoa('an hmac key for gnupg')}`,
    ]
    await tab.getByRole('textbox', { name: 'The profile' }).fill(`[gnupg]\n${lines.join('\n')}\n`)
    await tab.getByRole('button', { name: 'Read it' }).click()
    await tab.getByLabel('Name of the server').fill('office')
    await tab.getByLabel('Public key of the server').fill(armored('--export', 'server4096@spa.test'))
    await tab.getByLabel('Your secret key').fill(armored('--export-secret-keys', gnupgKeys.client2048.primary))
    await tab.getByRole('button', { name: 'Add this profile' }).click()
    await tab.getByText('one packet has at most 1500').waitFor()
    await tab.getByLabel('Public key of the server').fill(armored('--export', 'server2048@spa.test'))
    await tab.getByLabel('Your secret key').fill(armored('--export-secret-keys', gnupgKeys.client25519.primary))
    await tab.getByRole('button', { name: 'Add this profile' }).click()
    await tab.getByText(CLIENT).waitFor()
    const verdict = await daemon.verdictAfter(() => tab.getByRole('button', { name: 'Open', exact: true }).click())
    assert.equal(verdict.verdict, 'granted', JSON.stringify(verdict))
    await tab.getByText(/^Open until .* says the server/).waitFor()
    assert.deepEqual(page.complaints, [])
  })
})
