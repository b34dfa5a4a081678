/** `ghostport client add`: from the line of a server to a stanza of the rc file. */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, beforeEach, describe, it } from 'node:test'
import { Home } from './ghostport.ts'

const home = new Home()
after(() => home[Symbol.dispose]())
const rc = join(home.path, '.fwknoprc')
const KEY = 'W1gv3bQSdUligEXNWjldfFnc8E8jxIh7sk8J3YAoaQ0='
const LINE = `ghostport://profile/1?name=office&server=192.0.2.9&allow=source&open=tcp/22&key=${KEY.slice(0, -1)}&made=1764150000`
const add = (...argv: readonly string[]) => home.ghostport(['client', 'add', ...argv], { input: LINE })
const text = (): string => readFileSync(rc, 'utf8')

beforeEach(() => rmSync(rc, { force: true }))

describe('ghostport client add', () => {
  it('writes a new rc file, which only its owner can read', async () => {
    const { status, stdout, stderr } = await add()
    assert.equal(status, 0, stderr)
    assert.equal(stdout, 'ghostport knock office --wait\n')
    assert.equal(statSync(rc).mode & 0o777, 0o600)
    assert.match(
      text(),
      new RegExp(
        `^\\[office\\]\n# ghostport: keys of 2025-11-26T09:40:00Z\nSPA_SERVER +192\\.0\\.2\\.9\n[\\s\\S]*KEY_BASE64 +${KEY}\n$`,
      ),
    )
    const shown = await home.ghostport(['knock', 'office', '--test', '--json'])
    assert.equal(shown.status, 0, shown.stderr)
  })

  it('a knock in vain says of when the keys are', async () => {
    const input = LINE.replace('192.0.2.9', '127.0.0.1').replace('tcp/22', 'tcp/1')
    assert.equal((await home.ghostport(['client', 'add'], { input })).status, 0)
    const { status, stderr } = await home.ghostport(['knock', 'office', '--wait', '--wait-limit', '1'])
    assert.equal(status, 1, stderr)
    assert.match(stderr, /The keys of \[office\] were made at 2025-11-26T09:40:00Z\. .*ghostport client add --replace/)
  })

  it('the same comes from ssh, proxy and exec, and as JSON; keys that have ended come first', async () => {
    const input = `${LINE.replace('192.0.2.9', '127.0.0.1').replace('tcp/22', 'tcp/1')}&until=1764160000`
    assert.equal((await home.ghostport(['client', 'add'], { input })).status, 0)
    assert.match(text(), /^# ghostport: keys of 2025-11-26T09:40:00Z, until 2025-11-26T12:26:40Z$/m)
    const ended = 'The keys of [office] ended at 2025-11-26T12:26:40Z. Ask the administrator for a new profile'
    const limit = ['--wait-limit', '1']
    for (const argv of [
      ['knock', 'office', '--wait', ...limit],
      ['ssh', ...limit, 'office', '-p', '1'],
      ['proxy', ...limit, 'office', '1'],
      ['exec', '-n', 'office', ...limit, '--', 'true'],
    ]) {
      const { status, stderr } = await home.ghostport(argv)
      assert.equal(status, 1, stderr)
      const [, first = ''] = /^ {2}- (.*)$/m.exec(stderr) ?? []
      assert.ok(first.startsWith(ended), `${argv[0]}: ${stderr}`)
    }
    const { stdout } = await home.ghostport(['knock', 'office', '--wait', ...limit, '--json'])
    assert.ok(JSON.parse(stdout).causes[0].startsWith(ended), stdout)
    // Keys from elsewhere are not those of the stanza.
    const other = await home.ghostport(['knock', 'office', '--wait', ...limit, '--key-rijndael', 'other'])
    assert.doesNotMatch(other.stderr, /keys of \[office\]/)
  })

  it('the doctor says how old the keys are, and which have ended', async () => {
    const judged = async (more: string) => {
      rmSync(rc, { force: true })
      assert.equal((await home.ghostport(['client', 'add'], { input: `${LINE}${more}` })).status, 0)
      const { stdout } = await home.ghostport(['doctor', '--json', '--only', 'CLIENT_KEY_AGE'])
      const [{ answer, findings, seen }] = JSON.parse(stdout).checks
      return `${answer}: ${findings.map((one: { text: string }) => one.text).join()}${seen ?? ''}`
    }
    const now = Math.floor(Date.now() / 1000)
    assert.equal(await judged('&until=1764160000'), 'bad: the keys of [office] have ended')
    assert.equal(await judged(`&until=${now + 86_400}`), 'bad: the keys of [office] end within a week')
    const fresh = LINE.replace('made=1764150000', `made=${now - 86_400 * 2}`)
    rmSync(rc, { force: true })
    await home.ghostport(['client', 'add'], { input: fresh })
    const { stdout } = await home.ghostport(['doctor', '--json', '--only', 'CLIENT_KEY_AGE'])
    assert.match(
      JSON.parse(stdout).checks[0].seen,
      /^keys: \[office\] of \d{4}-\d\d-\d\d\. If the server gave out new ones/,
    )
    const old = LINE.replace('made=1764150000', `made=${now - 86_400 * 400}`)
    await home.ghostport(['client', 'add', '--replace'], { input: old })
    const again = await home.ghostport(['doctor', '--json', '--only', 'CLIENT_KEY_AGE'])
    assert.match(
      JSON.parse(again.stdout).checks[0].findings[0].text,
      /are 400 days old: if the server gave out new ones/,
    )
  })

  it('adds to a file that is there, and all else in it stays', async () => {
    const before = '# mine\n[default]\nVERBOSE Y\n\n[old]\nSPA_SERVER 192.0.2.1\n'
    writeFileSync(rc, before, { mode: 0o600 })
    assert.equal((await add()).status, 0)
    assert.ok(text().startsWith(`${before}\n[office]\n`))
  })

  it('replaces a stanza only if asked, and nothing of the old one is left but its comments', async () => {
    const before = '[Office]\n# near the door\nSPA_SERVER a\nNAT_ACCESS 10.0.0.1:22\nKEY old\n\n[other]\nSPA_SERVER b\n'
    writeFileSync(rc, before, { mode: 0o600 })
    const { status, stderr } = await add()
    assert.equal(status, 78)
    assert.match(stderr, /has a stanza \[office\] already — perhaps: --replace, or --name OTHER/)
    assert.equal(text(), before)
    assert.equal((await add('--replace')).status, 0)
    assert.match(text(), /^\[Office\]\n# ghostport: keys of .*\nSPA_SERVER [\s\S]*\n# near the door\n\n\[other\]/)
    assert.doesNotMatch(text(), /NAT_ACCESS|KEY +old/)
    assert.match(text(), /\n\[other\]\nSPA_SERVER b\n$/)
    assert.equal((await add('--replace')).status, 0)
    assert.equal(text().match(/keys of/g)?.length, 1)
    assert.equal((await add('--name', 'second')).status, 0)
    assert.match(text(), /\[second\]/)
  })

  it('takes the profile from a file of the user’s alone, or from the command line, with a warning', async () => {
    const file = home.write('p', `${LINE}\n`)
    assert.equal((await home.ghostport(['client', 'add', '--file', file])).status, 0)
    chmodSync(file, 0o644)
    assert.match((await home.ghostport(['client', 'add', '--file', file, '--replace'])).stderr, /can be read by others/)
    const { stderr } = await home.ghostport(['client', 'add', LINE, '--replace'])
    assert.match(stderr, /the profile was on the command line: delete it from the history/)
    const { stdout } = await add('--replace', '--json')
    assert.deepEqual(JSON.parse(stdout), { file: rc, stanza: 'office', replaced: true })
  })

  for (const [what, argv, input, pattern] of [
    ['another action', ['client', 'ad'], LINE, /“ad” is not one of add, export, extend/],
    ['no action', ['client'], LINE, /missing argument ACTION/],
    ['both', ['client', 'add', LINE, '--file', 'x'], LINE, /cannot be used together/],
    ['nothing', ['client', 'add'], '', /standard input is empty/],
    ['a wrong line', ['client', 'add'], 'https://x', /does not begin with ghostport:\/\/.*\[PROFILE_INVALID\]/],
    [
      'the link of an invitation',
      ['client', 'add'],
      'ghostport://invite/1#00',
      /claimed on the server itself.*perhaps: ask the administrator to run “ghostport invite claim” there/,
    ],
    [
      'half a line',
      ['client', 'add'],
      LINE.slice(0, LINE.indexOf('&key')),
      /“key” is missing: was the whole line copied/,
    ],
    ['a wrong name', ['client', 'add', '--name', 'default'], LINE, /--name: “default”/],
    ['a file that is not there', ['client', 'add', '--file', '/nowhere'], LINE, /no such file/],
  ] as const)
    it(`refuses ${what}`, async () => {
      const { status, stderr } = await home.ghostport([...argv], { input })
      assert.notEqual(status, 0)
      assert.match(stderr, pattern)
      assert.doesNotMatch(stderr, /W1gv3/)
      assert.equal(existsSync(rc), false)
    })

  it('a profile without a time is not said to be old; one that has ended is told', async () => {
    assert.equal((await home.ghostport(['client', 'add'], { input: LINE.replace('&made=1764150000', '') })).status, 0)
    assert.doesNotMatch(text(), /# ghostport/)
    const ended = await home.ghostport(['client', 'add', '--replace'], { input: `${LINE}&until=1764160000` })
    assert.match(ended.stderr, /by this profile, its keys ended at 2025-11-26T12:26:40Z/)
  })

  for (const [what, hostile] of [
    ['a line end in the server', LINE.replace('192.0.2.9', 'a%0ASPA_SERVER_PORT%201')],
    ['a line end in the name', LINE.replace('office', 'x%0AKEY%20y')],
    ['NUL', LINE.replace('office', 'of%00fice')],
    ['an escape', LINE.replace('office', 'o%1B[31m')],
    ['a path for a name', LINE.replace('office', '../../etc/x')],
    ['an option for a server', LINE.replace('192.0.2.9', '-oProxyCommand=x')],
    ['port 0', `${LINE}&port=0`],
    ['tcp/0', LINE.replace('tcp/22', 'tcp/0')],
    ['a comment in a value', LINE.replace('tcp/22', 'tcp/22%23')],
    ['a lone surrogate', LINE.replace('office', '%ED%A0%80')],
    ['8 kB', `${LINE}&time=${'1'.repeat(8000)}`],
  ] as const)
    it(`refuses a hostile line, and writes nothing: ${what}`, async () => {
      const { status, stderr } = await home.ghostport(['client', 'add'], { input: hostile })
      assert.equal(status, 65, stderr)
      assert.ok(!existsSync(rc))
      for (const control of ['\u001b', '\0']) assert.ok(!stderr.includes(control))
    })

  it('an rc file that others can read gets no key', async () => {
    writeFileSync(rc, '# mine\n')
    chmodSync(rc, 0o644)
    assert.match((await add()).stderr, /holds a key and can be read by others/)
    assert.equal(text(), '# mine\n')
  })
})
