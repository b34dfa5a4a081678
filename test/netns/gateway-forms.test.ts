/**
 * A knock by somebody who has nothing but a text browser: w3m, through the forms of a gateway, to a real server.
 *
 *   visitor 10.9.1.1 ── 10.9.1.2 gateway 10.9.0.1 ── 10.9.0.2 server, which drops by default: ssh on tcp/22
 *           10.9.2.1 ─────────────────────────────── 10.9.2.2
 */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Daemon, dropByDefault, ghostportCommand, keys, stanza } from '../support/daemon.ts'
import { type Host, Network, netnsUnavailable, type Program } from '../support/netns.ts'

const PASSWORD = 'correct horse battery'
const base64url = (text: string): string => Buffer.from(text).toString('base64url')
const PROFILE = `ghostport://profile/1?name=ada-form&server=10.9.2.2&open=tcp/22&key=${base64url(keys.key)}&hmac=${base64url(keys.hmac)}&made=1764150000`

describe('the forms in text browsers', { skip: netnsUnavailable(), concurrency: 1 }, () => {
  let net: Network
  let visitor: Host
  let gate: Host
  let server: Host
  let daemon: Daemon
  let gateway: Program
  let folder: string
  let codes: readonly string[]

  before(async () => {
    net = await Network.create()
    visitor = await net.host('visitor')
    gate = await net.host('gateway')
    server = await net.host('server')
    await net.link(visitor, ['10.9.1.1/24'], gate, ['10.9.1.2/24'])
    await net.link(gate, ['10.9.0.1/24'], server, ['10.9.0.2/24'])
    await net.link(visitor, ['10.9.2.1/24'], server, ['10.9.2.2/24'])
    dropByDefault(server)
    await server.listen([{ protocol: 'tcp', port: 22, banner: 'ssh' }])
    folder = net.directory()
    // The gateway becomes another user, who must get to its state folder.
    chmodSync(folder, 0o755)
    const lines = [
      'LISTEN https://10.9.1.2:443',
      'HOST gate.example',
      'TARGET office 10.9.0.2',
      `STATE_FOLDER ${join(folder, 'state')}`,
      'USER nobody',
      'RECEIPT_WAIT 3000',
      'FORMS Y',
    ]
    writeFileSync(join(folder, 'gateway.conf'), `${lines.join('\n')}\n`)
    writeFileSync(join(folder, 'profile'), `${PROFILE}\n`, { mode: 0o600 })
    daemon = await Daemon.start(net, server, {
      server: ['GATEWAY_ADDRESSES 10.9.0.1', 'GATEWAY_RECEIPTS Y'],
      access: stanza(['NAME ada-form', 'REQUIRE_USERNAME form-ada', 'OPEN_PORTS tcp/22', 'FW_ACCESS_TIMEOUT 5']),
    })
  })
  after(() => net?.close())

  const users = (argv: readonly string[], input = '') =>
    gate.run(ghostportCommand('gateway', '--config', join(folder, 'gateway.conf'), 'user', ...argv), { input })

  it('a user is added by a command, which shows the codes once', async () => {
    const add = ['add', 'ada', '--profile', join(folder, 'profile'), '--stdin']
    assert.match(users([...add, '--target', 'offce'], PASSWORD).stderr, /no target “offce” — perhaps: office/)
    assert.match(users([...add, '--target', 'office'], 'short').stderr, /a password has 10 to 256 characters/)
    const added = users([...add, '--target', 'office'], `${PASSWORD}\n`)
    assert.equal(added.status, 0, added.stderr)
    codes = added.stdout.match(/^ {2}[a-z2-7]{4}(?:-[a-z2-7]{4}){3}$/gm)?.map((it) => it.trim()) ?? []
    assert.equal(codes.length, 10, added.stdout)
    assert.match(added.stdout, /^otpauth:\/\/totp\/gate\.example%3Aada\?secret=[A-Z2-7]{32}&issuer=gate\.example$/m)
    assert.match(users([...add, '--target', 'office'], PASSWORD).stderr, /is a user of the form already/)
    assert.match(users(['list']).stdout, /^ada {2}tcp\/22 at office, since 20/)
    gateway = gate.start(ghostportCommand('gateway', '--config', join(folder, 'gateway.conf')))
    await gateway.says(/"event":"ready"/)
  })

  it('w3m: log in, open, see the receipt, log out', async () => {
    assert.equal(await visitor.tcp('10.9.2.2', 22), 'timeout')
    const screen = await browse(codes[0] ?? '')
    // A terminal jumps over blanks, and over letters that are there already.
    assert.match(screen, /Hello, ada/)
    assert.match(screen, /address, ?10\.9\.1\.1\./)
    assert.match(screen, /Open until 20[0-9-]+T/)
    assert.match(screen, /logout[\s\S]*Log in to knock/)
    const granted = await daemon.until(({ verdict }) => verdict === 'granted')
    assert.equal(granted['for'], '10.9.1.1')
    assert.equal(granted['name'], 'ada-form')
    assert.equal(granted['user'], 'form-ada')
  })

  /**
   * Presses the keys that a person would: Tab goes to the next field, Return edits it or presses the button. It waits
   * for each page, as a person does.
   */
  async function browse(code: string): Promise<string> {
    const home = join(folder, 'home')
    mkdirSync(home, { recursive: true })
    const w3m =
      'w3m -o ssl_verify_server=0 -o use_cookie=1 -o accept_cookie=1 -o auto_image=0 https://gate.example/form'
    // A name, as visitors have it.
    writeFileSync(join(folder, 'hosts'), '127.0.0.1 localhost\n10.9.1.2 gate.example\n')
    const script = `mount --bind ${folder}/hosts /etc/hosts && script -qec "${w3m}" /dev/null`
    const env = { HOME: home, TERM: 'xterm', LINES: '40', COLUMNS: '120', LC_ALL: 'C.UTF-8' }
    const words = Object.entries(env).map((it) => it.join('='))
    const program = visitor.start(['unshare', '-m', 'env', ...words, 'bash', '-c', script])
    const screen = (): string =>
      // biome-ignore lint/suspicious/noControlCharactersInRegex: of the terminal
      program.output.replaceAll(/\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][0-9A-B]|\x1b[=>]/g, '')
    const page = async (what: RegExp, from = 0): Promise<void> => {
      for (const deadline = performance.now() + 30_000; !what.test(screen().slice(from)); await delay(50))
        assert.ok(performance.now() < deadline, `no ${what}:\n${screen()}`)
    }
    const press = async (...keys: readonly string[]): Promise<void> => {
      for (const key of keys) {
        program.child.stdin.write(key)
        await delay(600)
      }
    }
    await page(/Log in to knock/)
    for (const text of ['ada', PASSWORD, code]) await press('\t', '\r', `${text}\r`)
    await press('\t', '\r')
    await page(/Hello, ada/)
    await press('\t', '\r')
    await page(/Open until 20[0-9-]+T/)
    const opened = screen().length
    await press('\t', '\t', '\r')
    await page(/Log in to knock/, opened)
    await press('q', 'y')
    await program.end()
    return screen()
  }
})
