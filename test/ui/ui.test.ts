/** `ghostport ui` as a process: who can use it, what it does to the rc file, and when it ends. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { makeKeyring } from '../support/gnupg.ts'
import { ask, launch, startUi, type UiProcess, type UiTree, uiTree } from '../support/ui.ts'

const KEY = Buffer.alloc(32, 7).toString('base64')
const HMAC = Buffer.alloc(64, 9).toString('base64')
const RC = `# my doors
[default]
FW_TIMEOUT    30    # for all

# the office
[office]
SPA_SERVER    192.0.2.9
ACCESS        tcp/22
ALLOW_IP      source
KEY_BASE64    ${KEY}
HMAC_KEY_BASE64 ${HMAC}

# of the other house
[home]
SPA_SERVER 198.51.100.1
ACCESS tcp/443
ALLOW_IP source
KEY secretword
GPG_HOMEDIR /home/ada/.gnupg
`

describe('ghostport ui', { concurrency: 3 }, () => {
  let tree: UiTree
  before(async () => {
    tree = await uiTree()
  })
  after(() => tree[Symbol.dispose]())

  function homeOf(t: TestContext, rc = RC): string {
    const home = mkdtempSync(join(tmpdir(), 'ghostport-ui-'))
    t.after(() => rmSync(home, { recursive: true, force: true }))
    writeFileSync(join(home, '.fwknoprc'), rc, { mode: 0o600 })
    return home
  }
  async function started(t: TestContext, rc?: string): Promise<UiProcess> {
    const ui = await startUi(tree, homeOf(t, rc))
    t.after(() => ui[Symbol.asyncDispose]())
    return ui
  }
  const json = { 'content-type': 'application/json' }
  const post = (ui: UiProcess, token: string, path: string, body: unknown) =>
    ask(ui.origin, path, { headers: { ...json, authorization: `Bearer ${token}` }, body: JSON.stringify(body) })
  async function stateOf(ui: UiProcess, token: string) {
    const { status, text } = await ask(ui.origin, '/api/state', { headers: { authorization: `Bearer ${token}` } })
    assert.equal(status, 200, text)
    return JSON.parse(text) as { revision: string; stanzas: { name: string; settings: object[]; program: string[] }[] }
  }

  it('hands the secret over by a file alone, for one use', async (t) => {
    const ui = await started(t)
    assert.equal(statSync(ui.launchFile).mode & 0o777, 0o600)
    assert.equal(statSync(dirname(ui.launchFile)).mode & 0o777, 0o700)
    assert.equal(ui.secret.length, 43)
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    for (const [headers, body, status] of [
      [{ origin: 'null' }, `launch=${'A'.repeat(43)}`, 403],
      [{ origin: 'https://evil.example' }, `launch=${ui.secret}`, 403],
      [{ origin: 'null' }, 'other=1', 400],
    ] as const)
      assert.equal((await ask(ui.origin, '/launch', { headers: { ...form, ...headers }, body })).status, status)
    const token = await launch(ui)
    assert.notEqual(token, ui.secret)
    assert.ok(!existsSync(ui.launchFile), 'its file is gone')
    await assert.rejects(launch(ui), /launch: 403/)
    // Nobody sees either in the list of processes, or in the environment.
    const pid = ui.child.pid
    for (const file of ['cmdline', 'environ', 'comm'])
      for (const each of [token, ui.secret]) assert.ok(!readFileSync(`/proc/${pid}/${file}`, 'latin1').includes(each))
    const listed = execFileSync('ps', ['axeww', '-o', 'args'], { encoding: 'utf8', maxBuffer: 1 << 24 })
    assert.ok(!listed.includes(token) && !listed.includes(ui.secret))
  })

  it('answers to localhost alone, on loopback alone, and to the token alone', async (t) => {
    const ui = await started(t)
    const token = await launch(ui)
    const { port } = new URL(ui.origin)
    const right = { authorization: `Bearer ${token}` }
    for (const [what, headers, status] of [
      ['the page', {}, 200],
      ['by its number', { host: `127.0.0.1:${port}` }, 421],
      ['by a name that leads here', { host: `evil.example:${port}` }, 421],
      ['without a port', { host: 'localhost' }, 421],
    ] as const)
      assert.equal((await ask(ui.origin, '/', { headers })).status, status, what)
    for (const [what, headers, status] of [
      ['the page', right, 200],
      ['nobody', {}, 401],
      ['another token', { authorization: `Bearer ${'A'.repeat(43)}` }, 401],
      ['the launch secret', { authorization: `Bearer ${ui.secret}` }, 401],
      ['a cookie', { cookie: `ghostport-token=${token}` }, 401],
      ['another site', { ...right, origin: 'https://evil.example' }, 403],
      ['a page from a file', { ...right, origin: 'null' }, 403],
      ['a name that leads here', { ...right, host: `evil.example:${port}` }, 421],
    ] as const) {
      const answer = await ask(ui.origin, '/api/state', { headers })
      assert.equal(answer.status, status, what)
      assert.equal(answer.headers.get('access-control-allow-origin'), null, what)
      assert.equal(answer.headers.get('set-cookie'), null, what)
      assert.ok(!answer.text.includes(KEY) && !answer.text.includes('secretword'), what)
    }
    for (const [what, headers] of [
      ['a form of another site', { 'content-type': 'text/plain', 'sec-fetch-site': 'cross-site' }],
      ['a request of another site without its origin', { ...json, 'sec-fetch-site': 'cross-site' }],
      ['another port of this computer', { ...json, origin: 'http://localhost:1' }],
    ] as const) {
      const answer = await ask(ui.origin, '/api/remove', { headers: { ...right, ...headers }, body: '{}' })
      assert.equal(answer.status, 403, what)
    }
    const asked = { origin: 'https://evil.example', 'access-control-request-method': 'POST' }
    const preflight = await ask(ui.origin, '/api/knock', { method: 'OPTIONS', headers: asked })
    assert.equal(preflight.status, 403)
    const listening = execFileSync('ss', ['-Hltn', `sport = :${port}`], { encoding: 'utf8' })
    const places = listening
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/)[3]?.replace(/:\d+$/, ''))
    assert.deepEqual(places.sort(), ['127.0.0.1', '[::1]'])
    assert.equal(readFileSync(join(ui.home, '.fwknoprc'), 'utf8'), RC)
  })

  it('takes no port of which somebody has the other half', async (t) => {
    const other = createServer().listen(0, '::1')
    await once(other, 'listening')
    t.after(() => other.close())
    const address = other.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    await assert.rejects(
      startUi(tree, homeOf(t), ['--port', `${port}`]),
      new RegExp(`\\[::1\\]:${port}: another program listens there`),
    )
  })

  it('edits, renames, adds and removes stanzas, and keeps all other lines', async (t) => {
    const ui = await started(t)
    const token = await launch(ui)
    const file = join(ui.home, '.fwknoprc')
    const first = await stateOf(ui, token)
    assert.deepEqual(
      first.stanzas.map(({ name }) => name),
      ['office', 'home'],
    )
    assert.deepEqual(first.stanzas[0]?.settings.at(-1), { name: 'HMAC_KEY_BASE64', secret: true })
    const edited = await post(ui, token, '/api/stanza', {
      ...{ revision: first.revision, name: 'office', rename: 'work' },
      settings: [
        { name: 'ACCESS', value: 'tcp/22,udp/53' },
        { name: 'ALLOW_IP', value: null },
        { name: 'RESOLVE_IP_HTTPS', value: 'Y' },
      ],
    })
    assert.equal(edited.status, 200, edited.text)
    const [head = '', tail = ''] = RC.split('# of the other house')
    const text = readFileSync(file, 'utf8')
    assert.ok(text.startsWith('# my doors\n[default]\nFW_TIMEOUT    30    # for all\n\n# the office\n[work]\n'), text)
    assert.match(text, /ACCESS {2,}tcp\/22,udp\/53\n/)
    assert.doesNotMatch(text.slice(0, text.indexOf('[home]')), /ALLOW_IP/)
    assert.ok(text.endsWith(`# of the other house${tail}`))
    assert.equal(statSync(file).mode & 0o777, 0o600)
    // Made for what was there before.
    const late = await post(ui, token, '/api/remove', { revision: first.revision, name: 'home' })
    assert.equal(late.status, 409)
    writeFileSync(file, RC)
    const { revision } = await stateOf(ui, token)
    const removed = await post(ui, token, '/api/remove', { revision, name: 'home' })
    assert.equal(removed.status, 200)
    assert.equal(readFileSync(file, 'utf8'), `${head}# of the other house\n`)
    for (const [settings, told] of [
      [[{ name: 'GPG_EXE', value: '/tmp/evil' }], /GPG_EXE names a program/],
      [[{ name: 'KEY_FILE', value: '/etc/shadow' }], /KEY_FILE names a program, a file/],
      [[{ name: 'ACCESS', value: 'tcp/22\n[evil]' }], /ACCESS: a value has no blank/],
      [[{ name: 'ACCESS', value: 'tcp/0' }], /ACCESS: /],
      [[{ name: 'ACESS', value: 'tcp/1' }], /no setting “ACESS”/],
      [[{ name: 'KEY_BASE64', value: '!' }], /KEY_BASE64: the key cannot be used/],
    ] as const) {
      const { revision } = await stateOf(ui, token)
      const refused = await post(ui, token, '/api/stanza', { revision, name: 'office', settings })
      assert.equal(refused.status, 422)
      assert.match(refused.text, told)
    }
    assert.equal(readFileSync(file, 'utf8'), `${head}# of the other house\n`)
  })

  it('gives keys out on demand alone', async (t) => {
    const ui = await started(t)
    const token = await launch(ui)
    const { text, status } = await post(ui, token, '/api/export', { name: 'office' })
    assert.equal(status, 200)
    const { uri, rc, qr } = JSON.parse(text) as { uri: string; rc: string; qr: string[] }
    assert.match(
      uri,
      /^ghostport:\/\/profile\/1\?name=office&server=192\.0\.2\.9&allow=source&open=tcp\/22&time=30&key=/,
    )
    assert.ok(rc.includes(KEY) && rc.startsWith('[office]\n'))
    assert.ok(qr.length > 20 && qr.every((row) => row.length === qr.length && /^[01]+$/.test(row)))
    const other = JSON.parse((await post(ui, token, '/api/export', { name: 'home' })).text) as {
      uri: null
      whyNoUri: string
    }
    assert.equal(other.uri, null)
    assert.match(other.whyNoUri, /no field for KEY/)
  })

  it('a program is kept on this host, asked about first, and follows its stanza', async (t) => {
    const ui = await started(t)
    const token = await launch(ui)
    const made = join(ui.home, 'made by {port}')
    const argv = ['touch', made]
    const set = await post(ui, token, '/api/program', { name: 'office', argv })
    assert.equal(set.status, 200)
    const { revision, stanzas } = await stateOf(ui, token)
    assert.deepEqual(stanzas[0]?.program, argv)
    const run = { name: 'office', address: '192.0.2.9', port: 22 }
    assert.equal((await post(ui, token, '/api/run', { ...run, argv: ['touch', 'other'] })).status, 409)
    assert.equal((await post(ui, token, '/api/run', { ...run, argv })).status, 200)
    for (let i = 0; i < 100 && !existsSync(join(ui.home, 'made by 22')); i++) await delay(20)
    assert.ok(existsSync(join(ui.home, 'made by 22')))
    await post(ui, token, '/api/stanza', { revision, name: 'office', rename: 'work', settings: [] })
    assert.deepEqual((await stateOf(ui, token)).stanzas[0]?.program, argv)
    const kept = join(ui.home, '.local/state/ghostport')
    assert.deepEqual(readdirSync(kept), ['programs.json'])
    assert.equal(statSync(kept).mode & 0o777, 0o700)
    assert.equal(statSync(join(kept, 'programs.json')).mode & 0o777, 0o600)
    const missing = ['/nonexistent/program']
    await post(ui, token, '/api/program', { name: 'work', argv: missing })
    assert.match(
      (await post(ui, token, '/api/run', { ...run, name: 'work', argv: missing })).text,
      /there is no such program/,
    )
  })

  it('tells a knock line by line, and remembers it without keys', async (t) => {
    const ui = await started(t, RC.replace('192.0.2.9', '127.0.0.1').replace('tcp/22', 'tcp/1'))
    const token = await launch(ui)
    const { text } = await post(ui, token, '/api/knock', { name: 'office', wait: false })
    const events = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string; packets?: object[] })
    assert.deepEqual(
      events.map(({ event }) => event),
      ['sent', 'end'],
    )
    assert.deepEqual(events[0]?.packets, [{ address: '127.0.0.1', port: 62201, error: null }])
    const failed = await post(ui, token, '/api/knock', { name: 'nobody', wait: true })
    assert.match(failed.text, /"event":"failed","code":"CONFIG_MISSING_KEY"/)
    const history = readFileSync(join(ui.home, '.local/state/ghostport/history.json'), 'utf8')
    const { knocks } = JSON.parse(history) as { knocks: { stanza: string; outcome: string }[] }
    assert.deepEqual(
      knocks.map(({ stanza, outcome }) => [stanza, outcome]),
      [
        ['nobody', 'failed'],
        ['office', 'sent'],
      ],
    )
    assert.ok(!history.includes(KEY) && !history.includes(HMAC))
    await post(ui, token, '/api/forget', {})
    assert.match((await ask(ui.origin, '/api/history', { headers: { authorization: `Bearer ${token}` } })).text, /\[\]/)
  })

  it('a passphrase of GnuPG is asked for, goes to gpg alone, and is kept nowhere', async (t) => {
    const keyring = makeKeyring(['server2048'])
    t.after(() => keyring.remove())
    const secret = 'sesame of the page'
    const locked = ['--pinentry-mode', 'loopback', '--passphrase', secret, '--quick-gen-key', 'me@x.test', 'ed25519']
    keyring.gpg(...locked)
    const folder = mkdtempSync(join(tmpdir(), 'ghostport-gpg-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    const seen = join(folder, 'seen')
    writeFileSync(join(folder, 'gpg'), `#!/bin/sh\n{ echo "$@"; env; } >> ${seen}\nexec /usr/bin/gpg "$@"\n`, {
      mode: 0o755,
    })
    const lines = ['[gnu]', 'SPA_SERVER 127.0.0.1', 'ACCESS tcp/1', 'ALLOW_IP 192.0.2.1', 'USE_GPG Y']
    const gnupg = ['GPG_RECIPIENT server2048@spa.test', 'GPG_SIGNER me@x.test', `GPG_HOMEDIR ${keyring.home}`]
    const ui = await started(t, `${[...lines, ...gnupg, `GPG_EXE ${join(folder, 'gpg')}`].join('\n')}\n`)
    const token = await launch(ui)
    const knock = async (passphrase?: string) => {
      const { text } = await post(ui, token, '/api/knock', {
        name: 'gnu',
        wait: false,
        ...(passphrase && { passphrase }),
      })
      const [first] = text.trim().split('\n')
      return JSON.parse(first ?? '') as { event: string; code?: string; asks?: string; detail?: string }
    }
    const asked = await knock()
    assert.deepEqual(
      [asked.event, asked.code, asked.asks],
      ['failed', 'KEY_MISSING', 'Passphrase of the GnuPG key me@x.test'],
    )
    assert.ok(!existsSync(join(ui.home, '.local/state/ghostport/history.json')), 'to be asked is no knock')
    const wrong = await knock('another one')
    assert.deepEqual([wrong.code, wrong.asks], ['GNUPG_FAILED', 'Passphrase of the GnuPG key me@x.test'])
    assert.match(wrong.detail ?? '', /passphrase of “me@x.test” is wrong/)
    const right = await knock(secret)
    assert.equal(right.event, 'sent', JSON.stringify(right))
    const told = readFileSync(seen, 'utf8')
    assert.match(told, /--encrypt/)
    for (const each of [secret, 'another one']) {
      assert.ok(!told.includes(each), 'in no argument and no environment')
      const history = readFileSync(join(ui.home, '.local/state/ghostport/history.json'), 'utf8')
      assert.ok(!history.includes(each) && !readFileSync(`/proc/${ui.child.pid}/environ`, 'latin1').includes(each))
    }
  })

  it('tells the browser nothing but the path of the file', async (t) => {
    const home = homeOf(t)
    const [log, folder] = [join(home, 'log'), join(home, 'bin')]
    mkdirSync(folder)
    // The log is there only when it is whole.
    const script = `#!/bin/sh\nfor word in "$0" "$@"; do echo "$word"; done > ${log}.part\nmv ${log}.part ${log}\n`
    writeFileSync(join(folder, 'xdg-open'), script, { mode: 0o755 })
    const [file = '', ...words] = [...tree.command, 'ui']
    const child = spawn(file, words, {
      env: { ...process.env, HOME: home, TMPDIR: home, PATH: `${folder}:${process.env['PATH']}` },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const ended = once(child, 'close')
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    for (let i = 0; i < 300 && !(said.includes('\n') && existsSync(log)); i++) await delay(20)
    assert.match(said, /^ghostport: the page is at http:\/\/localhost:\d+\/ and ends when it is closed/)
    const [, opened, ...more] = readFileSync(log, 'utf8').trim().split('\n')
    assert.match(opened ?? '', /\/ghostport-ui-\w+\/open\.html$/)
    assert.deepEqual(more, [])
    // No inspector, and a good end.
    child.kill('SIGUSR1')
    await delay(100)
    assert.doesNotMatch(said, /[Dd]ebugger/)
    child.kill('SIGINT')
    await ended
    assert.equal(child.exitCode, 0)
    assert.ok(!existsSync(opened ?? ''))
  })

  it('makes a file that is not there, follows a link to it, and refuses one that others can read', async (t) => {
    const ui = await started(t)
    const token = await launch(ui)
    const file = join(ui.home, '.fwknoprc')
    chmodSync(file, 0o644)
    const exposed = await ask(ui.origin, '/api/state', { headers: { authorization: `Bearer ${token}` } })
    assert.equal(exposed.status, 422)
    assert.match(exposed.text, /"code":"CONFIG_EXPOSED".*chmod 600/)
    rmSync(file)
    const { revision, stanzas } = await stateOf(ui, token)
    assert.deepEqual(stanzas, [])
    const settings = [
      { name: 'SPA_SERVER', value: '192.0.2.1' },
      { name: 'KEY_BASE64', value: KEY },
    ]
    const made = await post(ui, token, '/api/stanza', { revision, name: 'first', isNew: true, settings })
    assert.equal(made.status, 200, made.text)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.ok(!made.text.includes(KEY))
    const elsewhere = join(ui.home, 'dotfiles')
    renameSync(file, elsewhere)
    symlinkSync(elsewhere, file)
    const linked = await stateOf(ui, token)
    await post(ui, token, '/api/stanza', { revision: linked.revision, name: 'first', rename: 'second', settings: [] })
    assert.ok(lstatSync(file).isSymbolicLink())
    assert.match(readFileSync(elsewhere, 'utf8'), /^\[second\]\n/)
  })

  it('several at once: each has its own page and token, and notices what the other has changed', async (t) => {
    const home = homeOf(t)
    const [one, other] = [await startUi(tree, home), await startUi(tree, home)]
    t.after(() => Promise.all([one[Symbol.asyncDispose](), other[Symbol.asyncDispose]()]))
    const [first, second] = [await launch(one), await launch(other)]
    assert.notEqual(one.origin, other.origin)
    const stolen = await ask(other.origin, '/api/state', { headers: { authorization: `Bearer ${first}` } })
    assert.equal(stolen.status, 401)
    const { revision } = await stateOf(other, second)
    const settings = [{ name: 'ACCESS', value: 'tcp/23' }]
    const made = await post(one, first, '/api/stanza', {
      ...{ revision: (await stateOf(one, first)).revision, name: 'office', settings },
    })
    assert.equal(made.status, 200)
    const late = await post(other, second, '/api/remove', { revision, name: 'home' })
    assert.equal(late.status, 409)
    for (const [ui, token] of [
      [one, first],
      [other, second],
    ] as const)
      await post(ui, token, '/api/knock', { name: 'office', wait: false, allow: '192.0.2.1' })
    const history = await ask(one.origin, '/api/history', { headers: { authorization: `Bearer ${first}` } })
    assert.equal((JSON.parse(history.text) as { knocks: object[] }).knocks.length, 2)
    one.child.kill('SIGINT')
    await one.ended
    assert.equal((await stateOf(other, second)).stanzas.length, 2)
  })

  it('ends when the last page is closed, and leaves nothing behind', async (t) => {
    const ui = await started(t)
    const token = await launch(ui)
    const hold = async () => {
      const stop = new AbortController()
      const headers = { authorization: `Bearer ${token}` }
      const response = await fetch(`${ui.origin}/api/alive`, { headers, signal: stop.signal })
      await response.body?.getReader().read()
      return stop
    }
    const [one, other] = [await hold(), await hold()]
    one.abort()
    await delay(200)
    // The page is loaded again.
    other.abort()
    await delay(1_000)
    const third = await hold()
    await delay(3_500)
    assert.equal(ui.child.exitCode, null)
    third.abort()
    await ui.ended
    assert.equal(ui.child.exitCode, 0)
    assert.deepEqual(readdirSync(join(ui.home, 'tmp')), [])
  })
})
