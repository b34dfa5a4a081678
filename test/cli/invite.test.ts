/** `ghostport invite` and what the client does with it: links, sealed files, and what is refused. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, beforeEach, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { ghostportCommand, Home, type Transcript } from './ghostport.ts'

const home = new Home()
after(() => home[Symbol.dispose]())

let folder = ''
let count = 0
const path = (name: string): string => join(folder, name)
const text = (name = 'access.conf'): string => readFileSync(path(name), 'utf8')
const invite = (argv: readonly string[], input = ''): Promise<Transcript> =>
  home.ghostport(['invite', ...argv, '-c', path('fwknopd.conf')], { input })
const ok = async (argv: readonly string[], input = ''): Promise<Transcript> => {
  const said = await invite(argv, input)
  assert.equal(said.status, 0, said.stderr)
  return said
}
const make = async (name: string, ...argv: readonly string[]): Promise<string> =>
  (await ok([name, '--server', 'host.example', '--show-secrets', ...argv])).stdout.trim()
const stateOf = async (name: string): Promise<string | undefined> => {
  const { invitations } = JSON.parse((await ok(['list', '--json'])).stdout)
  return invitations.find((one: { user: string }) => one.user === name)?.state
}

beforeEach(() => {
  folder = join(home.path, `etc${++count}`)
  mkdirSync(folder, { mode: 0o700 })
  const settings = `CONTROL_SOCKET ${path('control.sock')};\nREPLAY_DB ${path('replay.db')};\n`
  writeFileSync(path('fwknopd.conf'), settings, { mode: 0o600 })
  const first =
    'SOURCE ANY\nNAME admin\nOPEN_PORTS tcp/22\nKEY_BASE64 aGVsbG8gd29ybGQ=\nHMAC_KEY_BASE64 Z29vZGJ5ZSB3b3JsZA==\n'
  writeFileSync(path('access.conf'), first, { mode: 0o600 })
})

describe('ghostport invite', () => {
  for (const [argv, pattern] of [
    [[], /missing argument NAME\|ACTION/],
    [['a b'], /NAME: a name is made of/],
    [['../x'], /NAME: a name is made of/],
    [['cancel'], /missing argument NAME: ghostport invite cancel NAME/],
    [['cancle', 'ada'], /unexpected argument “ada” — perhaps: ghostport invite cancel ada/],
    [['list', 'x'], /unexpected argument “x”/],
    [
      ['claim', 'ghostport://invite/1#00'],
      /understood: a link is not an argument.*perhaps: ghostport invite claim, which asks/,
    ],
    [['ada', '--anyway'], /--anyway has no effect with “invite NAME”/],
    [['list', '--for', '5m'], /--for has no effect with “invite list”/],
    [['ada', '--for', '0m', '--show-secrets'], /--for: “0m” has passed/],
    [['ada', '--for', '2027-01-01', '--show-secrets'], /--for: “2027-01-01” is not a time such as 15m/],
    [['ada', '--for', '31d', '--show-secrets'], /--for: “31d” is more than 30 days/],
    [['ada'], /the secret is shown once, on a terminal, and standard output is none — perhaps: --show-secrets/],
    [['ada', '--json'], /the secret is shown once/],
    [['admin', '--show-secrets', '--server', 'h'], /admin is in .*access\.conf:1.*\[USER_EXISTS\]/],
    [['cancel', 'admin'], /there is no open invitation for admin.*ghostport user remove admin/],
    [['cancel', 'nobody'], /there is no open invitation for nobody/],
    [['confirm', 'admim'], /no stanza of access\.conf has the NAME admim — perhaps: admin/],
    [['confirm', 'admin'], /admin needs no confirmation/],
    [['claim'], /standard input is empty/],
  ] as const)
    it(`refuses ${argv.join(' ') || 'nothing'}`, async () => {
      const before = text()
      const { status, stderr } = await invite(argv)
      assert.notEqual(status, 0)
      assert.match(stderr, pattern)
      assert.equal(text(), before)
      assert.ok(!existsSync(path('replay.db-invitations')))
    })

  it('a link: the profile comes out once, and the client takes it', async () => {
    const link = await make('ada')
    assert.match(link, /^ghostport:\/\/invite\/1#[0-9a-f-]{39}$/)
    assert.match(text(), /\nNAME +ada\n/)
    assert.doesNotMatch(text(), /ghostport: invited/)
    assert.equal(await stateOf('ada'), 'open')
    const { stdout } = await ok(['claim'], `${link}\n`)
    const added = await home.ghostport(['client', 'add', '--rc-file', path('rc')], { input: stdout })
    assert.equal(added.status, 0, added.stderr)
    const key = /^KEY_BASE64 +(\S+)$/m.exec(text('rc'))?.[1]
    assert.ok(key !== undefined && text().includes(key))
    assert.equal(await stateOf('ada'), 'used')
    const again = await invite(['claim'], link)
    assert.equal(again.status, 1)
    assert.match(again.stderr, /it was used already, it has ended, or it was cancelled \[INVITATION_ENDED\]/)
    assert.equal((await invite(['cancel', 'ada'])).status, 1)
  })

  it('no file of the server has the keys of a link but access.conf', async () => {
    await make('ada')
    const key = /ada[\s\S]*^KEY_BASE64 +(\S{20})/m.exec(text())?.[1] ?? 'none'
    const store = path('replay.db-invitations')
    assert.equal(statSync(store).mode & 0o777, 0o700)
    const kept = readdirSync(store).map((name) => readFileSync(join(store, name), 'utf8'))
    assert.equal(kept.length, 1)
    assert.ok(!kept.join().includes(key))
  })

  it('cancel removes the user; the only user is disabled', async () => {
    const before = text()
    const link = await make('ada')
    await ok(['cancel', 'ada'])
    assert.equal(text(), before)
    assert.equal((await invite(['claim'], link)).status, 1)
    writeFileSync(path('access.conf'), '')
    await make('bob')
    await ok(['cancel', 'bob'])
    assert.match(text(), /ghostport: disabled/)
  })

  it('“user remove” takes the invitation back too', async () => {
    const link = await make('ada')
    const removed = await home.ghostport(['user', 'remove', 'ada', '-c', path('fwknopd.conf')])
    assert.equal(removed.status, 0, removed.stderr)
    assert.equal((await invite(['claim'], link)).status, 1)
  })

  it('“user rotate” takes it back too: it has the old keys. “user disable” is told to who claims it', async () => {
    const user = (...argv: readonly string[]) => home.ghostport(['user', ...argv, '-c', path('fwknopd.conf')])
    const link = await make('ada')
    const rotated = await user('rotate', 'Ada', '--server', 'h', '--show-secrets', '--overlap', 'none')
    assert.match(rotated.stderr, /the invitation of ada, which had the old keys, is cancelled/)
    assert.match((await invite(['claim'], link)).stderr, /INVITATION_ENDED/)
    const other = await make('bob')
    await user('disable', 'bob')
    assert.match((await ok(['claim'], other)).stderr, /bob is disabled: .* until “ghostport user enable bob”/)
  })

  it('a file: sealed, with an end, until it is confirmed', async () => {
    const file = path('ada.invitation')
    const secret = await make('ada', '--file', file, '--for', '2h', '--expire', '2030-01-01')
    assert.match(
      text(),
      /^# ghostport: invited, and not confirmed yet\. Then: ACCESS_EXPIRE_EPOCH +1893\d+\nACCESS_EXPIRE_EPOCH +1\d+$/m,
    )
    assert.equal(await stateOf('ada'), 'not confirmed')
    assert.doesNotMatch(readFileSync(file, 'utf8'), /profile|key/)
    // As a mail program saves it.
    chmodSync(file, 0o644)
    const rc = ['--rc-file', path('rc')]
    const wrong = await home.ghostport(['client', 'add', file, ...rc], { input: `${'0000-'.repeat(8)}` })
    assert.equal(wrong.status, 65)
    assert.match(
      wrong.stderr,
      /the secret does not fit this invitation, or the file was changed \[INVITATION_INVALID\]/,
    )
    assert.ok(!existsSync(path('rc')))
    const added = await home.ghostport(['client', 'add', file, ...rc], { input: secret })
    assert.equal(added.status, 0, added.stderr)
    assert.match(text('rc'), /^KEY_BASE64 /m)
    assert.match((await invite(['confirm', 'ada'])).stderr, /no knock of ada is known.*--anyway/)
    await ok(['confirm', 'ada', '--anyway'])
    assert.match(text(), /^NAME +ada\nOPEN_PORTS +tcp\/22\nACCESS_EXPIRE_EPOCH +1893\d+\nKEY/m)
    assert.doesNotMatch(text(), /ghostport: invited/)
    assert.equal(await stateOf('ada'), undefined)
  })

  it('a file that ended is refused by the client, and one that is there is not overwritten', async () => {
    const file = path('ada.invitation')
    writeFileSync(file, 'mine')
    const before = text()
    const refused = await invite(['ada', '--server', 'h', '--show-secrets', '--file', file])
    assert.match(refused.stderr, /CONFIG_UNWRITABLE/)
    assert.deepEqual([text(), text('ada.invitation')], [before, 'mine'])
    writeFileSync(file, 'ghostport://sealed/1?until=1700000000&data=AAAA\n')
    const added = await home.ghostport(['client', 'add', file, '--rc-file', path('rc')], { input: '00' })
    assert.equal(added.status, 1)
    assert.match(added.stderr, /it ended at 2023-11-14T22:13:20Z/)
  })

  it('what cannot be written takes the invitation back', async () => {
    // The file would hold keys, and others can read it: that is seen when the new text is known.
    writeFileSync(path('access.conf'), '# nothing yet\n')
    chmodSync(path('access.conf'), 0o644)
    const refused = await invite(['ada', '--server', 'h', '--show-secrets'])
    assert.match(refused.stderr, /CONFIG_EXPOSED/)
    assert.deepEqual(readdirSync(path('replay.db-invitations')), [])
    const file = path('ada.invitation')
    assert.notEqual((await invite(['ada', '--server', 'h', '--show-secrets', '--file', file])).status, 0)
    assert.ok(!existsSync(file))
  })

  const claimer = (link: string) => {
    const [program = '', ...words] = [...ghostportCommand, 'invite', 'claim', '-c', path('fwknopd.conf')]
    const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'ignore'], env: { ...process.env, HOME: home.path } })
    let shown = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      shown += text
    })
    child.stdin.end(link)
    const ended = new Promise<string>((resolve) => child.once('close', () => resolve(shown)))
    return { child, ended }
  }

  it('of several claimers at once, one gets it', async () => {
    const link = await make('ada')
    const shown = await Promise.all([1, 2, 3, 4, 5].map(() => claimer(link).ended))
    assert.equal(shown.filter((it) => it.startsWith('ghostport://profile/1?')).length, 1)
    assert.equal(shown.filter((it) => it !== '').length, 1)
  })

  it('kill -9 at any moment: never twice, and not damaged', async () => {
    let shown = 0
    for (let i = 0; i < 8; i++) {
      const link = await make(`u${i}`)
      const { child, ended } = claimer(link)
      await delay(120 + 60 * i)
      child.kill('SIGKILL')
      const first = await ended
      const second = await claimer(link).ended
      assert.ok(first === '' || second === '', 'shown twice')
      if (first !== '' || second !== '') shown++
    }
    assert.ok(shown > 0)
    await ok(['list'])
  })
})
