/**
 * An invitation, from the link to the banner of ssh: Chromium on the client, the real gateway, a real server that
 * cannot be reached from outside, and its administrator on the command line.
 *
 *   client 10.9.1.1 ── gateway 10.9.1.2, 10.9.0.1 ── server 10.9.0.2, which drops by default: sshd on tcp/22
 */
import assert from 'node:assert/strict'
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import { Daemon, dropByDefault, eventsIn, ghostportCommand } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable, type Program } from '../support/netns.ts'
import { chromiumUnavailable, startChromium, type TestBrowser, trust } from './chromium.ts'
import { add, openPage, PASSPHRASE } from './on-the-page.ts'

const GATE = 'https://10.9.0.1'
const SERVER = '10.9.0.2'
const skip = chromiumUnavailable() || netnsUnavailable()

describe('an invitation in a browser', { skip, concurrency: 1 }, () => {
  let net: Network
  let [client, middle, server]: Host[] = []
  let daemon: Daemon
  let gateway: Program
  let chromium: TestBrowser
  let folder: string
  let fingerprint: string
  let said = ''

  before(async () => {
    net = await Network.create()
    ;[client, middle, server] = await Promise.all(['client', 'gateway', 'server'].map((name) => net.host(name)))
    assert.ok(client && middle && server)
    await net.link(client, ['10.9.1.1/24'], middle, ['10.9.1.2/24'])
    await net.link(middle, ['10.9.0.1/24'], server, [`${SERVER}/24`])
    middle.sysctl({ 'net.ipv4.ip_forward': 1 })
    client.must(['ip', 'route', 'add', 'default', 'via', '10.9.1.2'])
    server.must(['ip', 'route', 'add', 'default', 'via', '10.9.0.1'])
    dropByDefault(server)
    await startSshd(server)
    folder = net.directory()
    chmodSync(folder, 0o755)
    writeFileSync(join(folder, 'token'), 'a-token-of-more-than-32-characters-1\n', { mode: 0o600 })
    const lines = [
      ...['LISTEN https://10.9.0.1:443', 'HOST 10.9.0.1', `TARGET office ${SERVER}:62201`, 'USER nobody'],
      ...[`STATE_FOLDER ${join(folder, 'state')}`, 'RECEIPT_WAIT 2000'],
      ...['INVITATIONS Y', `INVITATION_TOKEN_FILE ${join(folder, 'token')}`, ''],
    ]
    writeFileSync(join(folder, 'gateway.conf'), lines.join('\n'))
    await startGateway()
    fingerprint = String(eventsIn(gateway.output).find(({ event }) => event === 'ready')?.['fingerprint'])
    ;[daemon, chromium] = await Promise.all([
      Daemon.start(net, server, {
        server: ['GATEWAY_ADDRESSES 10.9.0.1', 'GATEWAY_RECEIPTS Y'],
        access: 'SOURCE ANY\nNAME first\nOPEN_PORTS tcp/22\nKEY one\nHMAC_KEY two\n',
      }),
      startChromium(client, [trust(join(folder, 'state', 'certificate.pem'))]),
    ])
  })
  after(async () => {
    await chromium?.[Symbol.asyncDispose]()
    await net?.close()
  })

  async function startGateway(): Promise<void> {
    gateway = (middle as Host).start(ghostportCommand('gateway', '-c', join(folder, 'gateway.conf')))
    await gateway.says(/"event":"ready"/)
  }

  async function startSshd(host: Host): Promise<void> {
    const keys = net.directory()
    host.must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(keys, 'host')])
    copyFileSync(join(keys, 'host.pub'), join(keys, 'authorized'))
    mkdirSync('/run/sshd', { recursive: true })
    const lines = [`HostKey ${join(keys, 'host')}`, 'UsePAM no', 'PidFile none', 'Port 22']
    writeFileSync(join(keys, 'sshd_config'), `${lines.join('\n')}\n`)
    await host.start(['/usr/sbin/sshd', '-D', '-e', '-f', join(keys, 'sshd_config')]).says(/Server listening on/)
  }

  const invite = (...words: readonly string[]) => {
    const files = ['-c', daemon.path('fwknopd.conf'), '-a', daemon.path('access.conf')]
    const token = ['--gateway-token', join(folder, 'token')]
    return (server as Host).run(ghostportCommand('invite', ...words, ...files, ...token))
  }
  const make = (name: string): string => {
    const way = ['--gateway', GATE, '--gateway-target', 'office', '--gateway-fingerprint', fingerprint]
    const made = invite(name, '--open', 'tcp/22', '--server', SERVER, '--show-secrets', ...way)
    assert.equal(made.status, 0, made.stderr)
    return made.stdout.trim()
  }
  const stateOf = (name: string): string => {
    const { invitations } = JSON.parse(invite('list', '--json').stdout) as {
      invitations: readonly { user: string; state: string }[]
    }
    return invitations.find(({ user }) => user === name)?.state ?? 'none'
  }
  async function begin(tab: Page): Promise<void> {
    await tab.getByLabel('Passphrase').fill(PASSPHRASE)
    await tab.getByLabel('The same again').fill(PASSPHRASE)
    await tab.getByRole('button', { name: 'Begin' }).click()
  }
  const accept = (tab: Page) => tab.getByRole('button', { name: 'Accept the invitation' }).click()
  async function digitsOn(tab: Page): Promise<string> {
    const digits = tab.getByText(/^\d{4}-\d{4}-\d{4}-\d{4}$/)
    await digits.waitFor()
    return (await digits.textContent()) ?? ''
  }

  it('goes from the link to the banner of ssh, past previews, a second claim, and a gateway that is killed', async () => {
    const link = make('ada')
    const [, secret = ''] = link.split('#')
    // What mail scanners and messengers do with a link.
    for (const words of [[], ['--head'], ['-X', 'POST', '-d', ''], ['-H', 'x-purpose: preview']])
      client?.run(['curl', '--insecure', '--silent', '--output', '/dev/null', ...words, link])
    assert.equal(stateOf('ada'), 'open')

    await using page = await openPage(chromium.browser, link)
    const { tab } = page
    await begin(tab)
    assert.equal(tab.url(), `${GATE}/#/invite`)
    await accept(tab)
    const digits = await digitsOn(tab)
    assert.equal(stateOf('ada'), 'claimed')
    // The back button does not lead to the secret.
    assert.equal(await tab.evaluate(() => history.length), 2)

    await using other = await openPage(chromium.browser, link)
    await begin(other.tab)
    await accept(other.tab)
    await other.tab.getByText('This invitation is not good any more').waitFor()
    await other.tab.getByText('somebody else may have').waitFor()

    said += gateway.output
    await gateway.stop('SIGKILL')
    await startGateway()
    // Nothing of the claim is lost on this device either.
    await tab.reload()
    await tab.getByLabel('Passphrase').fill(PASSPHRASE)
    await tab.getByRole('button', { name: 'Unlock' }).click()
    assert.equal(await digitsOn(tab), digits)

    const wrong = invite('confirm', 'ada', '--fingerprint', '1111-1111-1111-1111')
    assert.match(wrong.stderr, /\[CLAIM_REFUSED\]/)
    const confirmed = invite('confirm', 'ada', '--fingerprint', digits)
    assert.equal(confirmed.status, 0, confirmed.stderr)
    assert.match(confirmed.stderr, /from 10\.9\.1\.1, as the gateway says/)

    await tab.getByRole('heading', { name: SERVER }).waitFor()
    assert.equal(await client?.tcp(SERVER, 22), 'timeout')
    await tab.getByText('10.9.1.1').first().waitFor()
    await tab.getByRole('button', { name: 'Open', exact: true }).click()
    await tab.getByText(/^Open until .* says the server/).waitFor()
    assert.match((await client?.tcp(SERVER, 22)) ?? '', /^SSH-2\.0/)
    for (let tries = 0; stateOf('ada') !== 'used' && tries < 20; tries++) await delay(200)
    assert.equal(stateOf('ada'), 'used')

    // No log and no file of the gateway has the secret, and none of the server has the profile still.
    const held = readdirSync(join(folder, 'state')).map((name) => readFileSync(join(folder, 'state', name), 'utf8'))
    for (const text of [said, gateway.output, ...held])
      for (const part of [secret, secret.replaceAll('-', '')]) assert.ok(!text.includes(part))
    assert.deepEqual(
      [...page.complaints, ...other.complaints].filter((line) => !/status of 410|ERR_CONNECTION_REFUSED/.test(line)),
      [],
    )
  })

  it('takes a pasted link, and says what to do with one for the server alone', async () => {
    await using page = await openPage(chromium.browser, `${GATE}/`)
    const { tab } = page
    await tab.getByLabel('Passphrase').fill(PASSPHRASE)
    await tab.getByLabel('The same again').fill(PASSPHRASE)
    await tab.getByRole('button', { name: 'Begin' }).click()
    const paste = async (text: string) => {
      await add(tab)
      await tab.getByRole('tab', { name: 'Paste' }).click()
      await tab.getByRole('textbox', { name: 'The profile' }).fill(text)
      await tab.getByRole('button', { name: 'Read it' }).click()
      await accept(tab)
    }
    await paste('ghostport://invite/1#3f9a-2c1b')
    await tab.getByText('claimed on the server itself').waitFor()
    await tab.getByRole('link', { name: 'All doors' }).click()
    await paste(make('bob'))
    await digitsOn(tab)
    // The administrator takes it back while the person waits.
    assert.equal(invite('cancel', 'bob').status, 0)
    await tab.getByText('This invitation is not good any more').waitFor()
    assert.deepEqual(
      page.complaints.filter((line) => !/status of 410|ERR_CONNECTION_REFUSED/.test(line)),
      [],
    )
  })
})
