/** `ghostport user`: what each action takes, what it writes, and what is refused, with nothing changed. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, beforeEach, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { parseProfile } from '../../src/config/client/profile.ts'
import { readScreen } from '../support/qr-screen.ts'
import { must } from '../support/results.ts'
import { ghostportCommand, Home, type Transcript } from './ghostport.ts'

const home = new Home()
after(() => home[Symbol.dispose]())

let folder = ''
let count = 0
const path = (name: string): string => join(folder, name)
const text = (name = 'access.conf'): string => readFileSync(path(name), 'utf8')
const write = (name: string, lines: string, mode = 0o600): void => {
  writeFileSync(path(name), lines)
  chmodSync(path(name), mode)
}
const user = (...argv: readonly string[]): Promise<Transcript> =>
  home.ghostport(['user', ...argv, '-c', path('fwknopd.conf')])
const ok = async (...argv: readonly string[]): Promise<Transcript> => {
  const said = await user(...argv)
  assert.equal(said.status, 0, said.stderr)
  return said
}
const add = (name: string, ...argv: readonly string[]): Promise<Transcript> =>
  ok('add', name, '--server', 'host.example', '--show-secrets', ...argv)

beforeEach(() => {
  folder = join(home.path, `etc${++count}`)
  mkdirSync(folder, { mode: 0o700 })
  write('fwknopd.conf', `CONTROL_SOCKET ${path('control.sock')};\nREPLAY_DB ${path('replay.db')};\n`)
  write('access.conf', '# who may open what\n\n')
})

describe('ghostport user', () => {
  for (const [argv, pattern] of [
    [[], /missing argument ACTION/],
    [['ad', 'x'], /“ad” is not one of .*perhaps: ghostport user add/],
    [['add'], /missing argument NAME: ghostport user add NAME/],
    [['add', 'a b'], /NAME: a name is made of/],
    [['add', 'x', '--open', 'ssh', '--show-secrets'], /--open: “ssh” is not a protocol and port/],
    [['add', 'x', '--source', '10.0.0.0/33', '--show-secrets'], /--source: /],
    [['add', 'x', '--source', 'ANY;\nKEY a', '--show-secrets'], /--source: /],
    [['add', 'x', '--nat-targets', 'foo', '--show-secrets'], /--nat-targets: “foo” is not an address/],
    [['add', 'x', '--nat', 'name.lan:22', '--show-secrets'], /--nat: .*perhaps: --nat-targets/],
    [['add', 'x', '--time', '0', '--show-secrets'], /--time: /],
    [['add', 'x', '--max-time', '5m', '--show-secrets'], /--max-time: .*perhaps: 300/],
    [['add', 'x', '--expire', '2020-01-01', '--show-secrets'], /--expire: “2020-01-01” has passed/],
    [['add', 'x', '--expire', '2027-02-30', '--show-secrets'], /--expire: “2027-02-30” is neither a day/],
    [['add', 'x', '--expire', 'soon', '--show-secrets'], /--expire: “soon” is neither/],
    [['add', 'x', '--server', 'a_b', '--show-secrets'], /--server: /],
    [['add', 'x', '--server', 'h', '--alias', 'a b', '--show-secrets'], /--alias: /],
    [['add', 'x', '--gateway', 'https://g.example', '--show-secrets'], /--gateway-target belong together/],
    [['add', 'x', '--gateway', 'http://g.example', '--gateway-target', 'a', '--show-secrets'], /--gateway: .*HTTPS/],
    [['add', 'x', '--gateway', 'g.example', '--gateway-target', 'A', '--show-secrets'], /--gateway-target: /],
    [['add', 'x'], /the new keys are shown once, on a terminal, and standard output is none.*--profile-file FILE/],
    [['add', 'x', '--json'], /shown once, on a terminal/],
    [['add', 'x', '--qr', 'ios', '--show-secrets'], /--qr: “ios” is not one of android, profile, none/],
    [['rotate', 'nobody', '--show-secrets'], /no stanza of access.conf has the NAME nobody/],
    [['rotate', 'x', '--overlap', 'soon', '--show-secrets'], /--overlap: “soon” is neither/],
    [['add', 'x', '--overlap', '1h', '--show-secrets'], /--overlap has no effect with “user add”/],
    [['list', 'x'], /unexpected argument “x”.*ghostport user show x/],
    [['list', '--open', 'tcp/1'], /--open has no effect with “user list”/],
    [['show', 'nobody'], /no stanza of access.conf has the NAME nobody/],
  ] as const)
    it(`refuses ${argv.join(' ')}`, async () => {
      const before = text()
      const { status, stderr, stdout } = await user(...argv)
      assert.notEqual(status, 0)
      assert.match(stderr, pattern)
      assert.equal(stdout.replace(/^\{.*\}\n$/, ''), '')
      assert.equal(text(), before)
    })

  it('adds the first user, and others; lists and shows them without keys', async () => {
    const { stdout, stderr } = await add('ada-phone')
    assert.match(stderr, /added ada-phone to .*access.conf: may open tcp\/22\nno server runs here/)
    const [, line = ''] = /^(ghostport:\/\/.*)$/m.exec(stdout) ?? []
    const profile = must(parseProfile(line))
    const [, key = ''] = /^KEY_BASE64 +(\S+)$/m.exec(stdout) ?? []
    assert.equal(profile.settings.find(({ name }) => name === 'KEY_BASE64')?.value, key)
    assert.match(text(), /^# who may open what\n\nSOURCE +ANY\nNAME +ada-phone\nOPEN_PORTS +tcp\/22\nKEY_BASE64 +/)
    assert.ok(text().includes(key))
    await add(
      'bob',
      '--open',
      'tcp/22,udp/53',
      '--expire',
      '30d',
      '--source',
      '10.0.0.0/8',
      '--nat',
      'local:22',
      '--time',
      '60',
    )
    const list = await ok('list')
    assert.match(
      list.stdout,
      /^NAME +STATE +MAY OPEN +END +LAST KNOCK\nada-phone +active +tcp\/22 +- +\?\nbob +active +tcp\/22,udp\/53 +20..-..-..T..:..Z +\?\n$/,
    )
    const show = await ok('show', 'BOB')
    assert.match(show.stdout, /source +10\.0\.0\.0\/8\n/)
    assert.doesNotMatch(list.stdout + show.stdout, /KEY|[A-Za-z0-9+/]{40}/)
    const { users } = JSON.parse((await ok('list', '--json')).stdout)
    assert.deepEqual(
      [users.length, users[1].name, users[1].state, users[1].open],
      [2, 'bob', 'active', ['tcp/22', 'udp/53']],
    )
    const checked = await home.ghostport(['check', '-c', path('fwknopd.conf')])
    assert.doesNotMatch(checked.stdout + checked.stderr, /CONFIG_/)
  })

  it('a profile for a gateway names it, and asks for an address by name', async () => {
    const way = ['--gateway', 'https://gate.example,https://other.example', '--gateway-target', 'office']
    const { stdout } = await add('ada', '--open', 'tcp/22', ...way)
    const line = /ghostport:\/\/profile\/1\?\S+/.exec(stdout)?.[0] ?? ''
    const { settings } = must(parseProfile(line))
    const texts = settings.map(({ name, value }) => `${name} ${value}`)
    for (const said of [
      'GATEWAY https://gate.example,https://other.example',
      'GATEWAY_TARGET office',
      'ALLOW_IP resolve',
    ])
      assert.ok(texts.includes(said), `${said}\n${texts.join('\n')}`)
  })

  it('refuses a name that is there, in any case', async () => {
    await add('ada')
    const before = text()
    const { status, stderr } = await user('add', 'Ada', '--show-secrets')
    assert.equal(status, 1)
    assert.match(stderr, /ada is in .*access.conf:3 .*ghostport user rotate ada.*\[USER_EXISTS\]/)
    assert.equal(text(), before)
  })

  it('needs --open where the other stanzas do not agree', async () => {
    write('access.conf', 'SOURCE ANY\nNAME a\nOPEN_PORTS tcp/2222\nKEY one\n')
    await add('b')
    assert.match(text(), /NAME +b\nOPEN_PORTS +tcp\/2222\n/)
    await add('c', '--open', 'tcp/80')
    const { stderr } = await user('add', 'd', '--show-secrets')
    assert.match(stderr, /do not all open the same ports, so --open is needed/)
  })

  it('a file with a fault is not edited: the fault is told with its line', async () => {
    write('access.conf', 'SOURCE ANY\nNAME a\nOPEN_PRTS tcp/22\nKEY one\n')
    const before = text()
    const { status, stderr } = await user('add', 'b', '--show-secrets')
    assert.equal(status, 78)
    assert.match(stderr, /access\.conf:3: .*OPEN_PRTS.*OPEN_PORTS/)
    assert.equal(text(), before)
  })

  it('a file that others can change, or a folder, is refused', async () => {
    write('access.conf', 'SOURCE ANY\nKEY one\n', 0o666)
    assert.match((await user('add', 'b', '--show-secrets')).stderr, /can be changed by others/)
    write('access.conf', 'SOURCE ANY\nKEY one\n', 0o644)
    assert.match((await user('add', 'b', '--show-secrets')).stderr, /can be read by others/)
    // It had no keys so far, and would have some.
    write('keys', 'KEY one\n')
    write('access.conf', 'SOURCE ANY\n%include_keys keys\n', 0o644)
    assert.match(
      (await user('add', 'b', '--open', 'tcp/1', '--show-secrets')).stderr,
      /would hold keys, and can be read by others.*chmod 600/,
    )
    assert.equal(text(), 'SOURCE ANY\n%include_keys keys\n')
    write('access.conf', 'SOURCE ANY\nKEY one\n')
    chmodSync(folder, 0o777)
    assert.match((await user('add', 'b', '--show-secrets')).stderr, /others can replace what is in the folder/)
    chmodSync(folder, 0o700)
  })

  it('a full disk and a read-only file system are told as such, and nothing changes', async () => {
    await add('ada')
    const before = text()
    const lock = '.access.conf.lock'
    const inside = (setup: string, command: string): string => {
      const words = [...ghostportCommand, 'user', 'disable', 'ada', '-c', path('fwknopd.conf')].join(' ')
      const line = `cp -a ${folder} ${folder}.copy && ${setup} && ${command}; ${words}; cmp ${folder}/access.conf ${folder}.copy/access.conf`
      const ran = spawnSync('unshare', ['--mount', 'bash', '-c', line], {
        encoding: 'utf8',
        env: { ...process.env, HOME: home.path },
      })
      rmSync(`${folder}.copy`, { recursive: true, force: true })
      assert.equal(ran.status, 0, ran.stderr)
      return ran.stderr
    }
    const full = `mount -t tmpfs -o size=64k none ${folder} && cp -a ${folder}.copy/. ${folder}`
    assert.match(
      inside(full, `head -c 200k /dev/zero > ${folder}/fill 2>&-`),
      /access\.conf.*: no space left on device \[CONFIG_UNWRITABLE\]/,
    )
    assert.match(
      inside(`mount --bind ${folder} ${folder} && mount -o remount,bind,ro ${folder}`, 'true'),
      /access\.conf cannot be changed: .*read-only file system \[CONFIG_UNWRITABLE\]/,
    )
    assert.equal(text(), before)
    assert.ok(
      readdirSync(folder).every((name) => !name.includes('.new') && (!name.startsWith('.') || name.startsWith(lock))),
    )
  })

  it('a file without a line end, and one with CRLF', async () => {
    write('access.conf', 'SOURCE ANY\nNAME zoe\nOPEN_PORTS tcp/22\nKEY_BASE64 aGVsbG8gd29ybGQ=')
    await add('ada')
    await ok('remove', 'ada')
    assert.equal(text(), 'SOURCE ANY\nNAME zoe\nOPEN_PORTS tcp/22\nKEY_BASE64 aGVsbG8gd29ybGQ=\n')
    write('access.conf', text().replaceAll('\n', '\r\n'))
    await add('ada')
    await ok('rotate', 'zoe', '--server', 'h', '--show-secrets')
    assert.doesNotMatch(text(), /[^\r]\n/)
  })

  it('owner, mode and a link stay', async () => {
    write('real.conf', 'SOURCE ANY\nOPEN_PORTS tcp/22\nKEY one\n', 0o640)
    chmodSync(path('real.conf'), 0o600)
    const places = `CONTROL_SOCKET ${path('control.sock')};\nREPLAY_DB ${path('replay.db')};\n`
    writeFileSync(path('fwknopd.conf'), `${places}ACCESS_FILE ${path('link.conf')};\n`)
    symlinkSync('real.conf', path('link.conf'))
    await add('b')
    assert.match(text('real.conf'), /NAME +b/)
    assert.equal(statSync(path('real.conf')).mode & 0o777, 0o600)
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.includes('draft')),
      [],
    )
  })

  it('disables and enables: the file is the same again', async () => {
    write('users.conf', '# bob\nSOURCE ANY\nNAME bob\nKEY two\n\tACCESS_EXPIRE 12/31/2037 ; # later \n# tail')
    write('access.conf', 'SOURCE ANY\nNAME a\nKEY one\n%include users.conf\n')
    const before = text('users.conf')
    assert.match((await ok('disable', 'BOB')).stderr, /disabled bob in .*users\.conf/)
    assert.equal(text(), 'SOURCE ANY\nNAME a\nKEY one\n%include users.conf\n')
    assert.match(text('users.conf'), /ACCESS_EXPIRE_EPOCH 1\n# tail$/)
    assert.match((await ok('list')).stdout, /bob +disabled/)
    assert.match((await ok('disable', 'bob')).stderr, /bob is disabled already/)
    const { changed, server } = JSON.parse((await ok('enable', 'bob', '--json')).stdout)
    assert.deepEqual([changed, server], [true, { state: 'not running' }])
    assert.equal(text('users.conf'), before)
    assert.match((await ok('enable', 'bob')).stderr, /bob is enabled already/)
    write('users.conf', before.replace('2037', '2019'))
    await ok('disable', 'bob')
    assert.match((await ok('enable', 'bob')).stderr, /has an end that has passed/)
  })

  it('removes a user, and never the last one', async () => {
    await add('ada')
    const before = text()
    await add('bob', '--open', 'tcp/1')
    assert.match((await ok('remove', 'bob')).stderr, /removed bob/)
    assert.equal(text(), before)
    const { status, stderr } = await user('remove', 'ada')
    assert.equal(status, 78)
    assert.match(stderr, /ada is the only user.*ghostport user disable ada/)
    assert.equal(text(), before)
    assert.match((await user('remove', 'bob')).stderr, /no stanza of access.conf has the NAME bob/)
  })

  it('rotates: the old keys have a stanza of their own, with an end; all else in the file stays', async () => {
    const tail = '\n# bob\nSOURCE ANY\nNAME bob\nKEY two\n'
    write('access.conf', `SOURCE 10.0.0.0/8\nNAME ada\n# mine\nOPEN_PORTS tcp/22\nKEY one\nMAX_FW_TIMEOUT 60\n${tail}`)
    const { stdout, stderr } = await ok('rotate', 'Ada', '--server', 'h', '--show-secrets', '--overlap', '2h')
    assert.match(stderr, /ada has new keys\. The old ones, called ada\.old-\d{8}, open until 20/)
    const profile = must(parseProfile(/^ghostport:.*$/m.exec(stdout)?.[0] ?? ''))
    const key = profile.settings.find(({ name }) => name === 'KEY_BASE64')?.value ?? ''
    assert.ok(text().endsWith(tail))
    const [fresh = '', old = ''] = text().slice(0, -tail.length).split('\n\n')
    assert.match(
      fresh,
      /^SOURCE 10\.0\.0\.0\/8\nNAME ada\n# mine\nOPEN_PORTS tcp\/22\nKEY_BASE64 +\S+\nHMAC_KEY_BASE64 +\S+\nMAX_FW_TIMEOUT 60$/,
    )
    assert.ok(fresh.includes(key))
    assert.match(
      old,
      /^SOURCE 10\.0\.0\.0\/8\nNAME +ada\.old-\d{8}\n# ghostport: old keys of ada\nACCESS_EXPIRE_EPOCH \d+\n# mine\nOPEN_PORTS tcp\/22\nKEY one\nMAX_FW_TIMEOUT 60\n?$/,
    )
    assert.match((await ok('list')).stdout, /ada\.old-\d{8} +old keys/)
    assert.match((await ok('show', 'ada')).stdout, /old keys +ada\.old-/)
    // Again, at once: the second has a name of its own; both share the fate of the user.
    const again = await ok('rotate', 'ada', '--server', 'h', '--show-secrets', '--overlap', 'none')
    assert.match(again.stderr, /ada\.old-\d{8}-2, open nothing any more/)
    assert.match((await ok('disable', 'ada')).stderr, /with the old keys ada\.old-\d{8}(, |-2)/)
    const refused = await user('rotate', 'ada', '--show-secrets')
    assert.match(refused.stderr, /ada is disabled .*ghostport user enable ada/)
    await ok('enable', 'ada')
    // Long after their end, the next change removes them.
    write('access.conf', text().replace(/ACCESS_EXPIRE_EPOCH \d+/g, 'ACCESS_EXPIRE_EPOCH 1700000000'))
    assert.match(
      (await ok('disable', 'bob')).stderr,
      /removed ada\.old-\d{8}.*: these old keys ended more than 30 days ago/,
    )
    assert.equal(text().match(/old keys of/g), null)
  })

  it('ACCESS_FOLDER: a user is a file of its own', async () => {
    mkdirSync(path('users'), { mode: 0o700 })
    const places = `CONTROL_SOCKET ${path('control.sock')};\nREPLAY_DB ${path('replay.db')};\n`
    write('fwknopd.conf', `${places}ACCESS_FOLDER ${path('users')};\n`)
    write('users/a.conf', 'SOURCE ANY\nNAME a\nOPEN_PORTS tcp/22\nKEY one\n')
    await add('b')
    assert.match(text('users/b.conf'), /^SOURCE +ANY\nNAME +b\n/)
    assert.equal(statSync(path('users/b.conf')).mode & 0o777, 0o600)
  })

  it('the profile goes into a new file, which only its owner can read', async () => {
    const file = path('ada.profile')
    const { stdout } = await ok('add', 'ada', '--server', 'host.example', '--profile-file', file)
    assert.equal(stdout, '')
    must(parseProfile(readFileSync(file, 'utf8')))
    assert.equal(statSync(file).mode & 0o777, 0o600)
    const json = await ok('add', 'bob', '--server', 'host.example', '--profile-file', path('bob.profile'), '--json')
    assert.doesNotMatch(json.stdout, /ghostport:\/\/|KEY/)
  })

  it('says what has no effect in the new stanza, and nothing of others', async () => {
    await add('ada', '--nat-targets', '192.0.2.7')
    const { stderr } = await add('bob', '--nat', 'local:22')
    assert.match(stderr, /access\.conf:\d+: stanza bob: NAT_TARGETS has no effect: no kind of NAT is enabled/)
    assert.doesNotMatch(stderr, /ada/)
    const { stdout } = await add('carol', '--nat', 'local:22', '--json')
    assert.match(JSON.parse(stdout).notices[0].text, /^stanza carol: NAT_TARGETS/)
    assert.deepEqual(JSON.parse((await add('dave', '--json')).stdout).notices, [])
  })

  it('a profile that cannot be written changes nothing; a stanza that cannot be written leaves no profile', async () => {
    await add('ada')
    const before = text()
    const file = path('there.profile')
    writeFileSync(file, 'mine')
    for (const argv of [
      ['add', 'bob'],
      ['rotate', 'ada'],
      ['rotate', 'ada', '--overlap', 'none'],
    ]) {
      const there = await user(...argv, '--server', 'host.example', '--profile-file', file)
      assert.match(there.stderr, /there\.profile: file already exists/)
      assert.equal(text(), before)
    }
    assert.equal(readFileSync(file, 'utf8'), 'mine')
    write('access.conf', '# nothing yet\n', 0o644)
    const exposed = await user('add', 'ada', '--server', 'host.example', '--profile-file', path('new.profile'))
    assert.match(exposed.stderr, /CONFIG_EXPOSED/)
    assert.ok(!readdirSync(folder).includes('new.profile'))
  })

  it('10 000 stanzas in two files: nothing else changes', async () => {
    const stanzas = Array.from(
      { length: 10_000 },
      (_, i) => `# user ${i}\nSOURCE ANY\nNAME u${i}\n# inside\nKEY key ${i}\n`,
    )
    const more = stanzas.slice(5000).join('\n')
    const first = `${stanzas.slice(0, 5000).join('\n')}\n# more\n%include more.conf\n`
    write('more.conf', more)
    write('access.conf', first)
    const started = performance.now()
    await ok('disable', 'u9000')
    // Measured: 0.7 s of the processor. The bound is for a busy machine.
    assert.ok(performance.now() - started < 10_000)
    assert.equal(text(), first)
    const changed = text('more.conf')
      .split('\n')
      .filter((line) => !more.includes(line))
    assert.deepEqual(changed, ['# ghostport: disabled. Before: no end', 'ACCESS_EXPIRE_EPOCH 1'])
    await ok('enable', 'u9000')
    assert.equal(text('more.conf'), more)
    await add('new', '--open', 'tcp/22')
    assert.ok(text().startsWith(first))
    await ok('remove', 'new')
    assert.equal(text(), first)
  })

  it('a terminal shows a QR code, in the form of the Android client; zbar reads it from the picture', async () => {
    const words = ['user', 'add', 'ada', '--server', 'host.example', '-c', path('fwknopd.conf')]
    const line = [...ghostportCommand, ...words].join(' ')
    // util-linux gives the command a terminal.
    const { status, stdout } = await home.run(['script', '-qec', line, '/dev/null'])
    assert.equal(status, 0, stdout)
    const screen = stdout.replaceAll('\r', '').split('\n')
    const [key, hmac] = ['KEY_BASE64', 'HMAC_KEY_BASE64'].map(
      (name) => new RegExp(`^${name} +(\\S+)$`, 'm').exec(text())?.[1],
    )
    assert.equal(readScreen(screen), `KEY_BASE64:${key} HMAC_KEY_BASE64:${hmac}`)
    const other = await ok('add', 'bob', '--server', 'h', '--show-secrets', '--qr', 'profile')
    assert.equal(readScreen(other.stdout.split('\n')), /^ghostport:.*$/m.exec(other.stdout)?.[0])
    assert.doesNotMatch((await ok('add', 'eve', '--server', 'h', '--show-secrets')).stdout, /█/)
  })

  it('two at once: one waits for the other, and both are there', async () => {
    const all = await Promise.all(
      ['a', 'b', 'c', 'd'].map((name) => user('add', name, '--server', 'h', '--show-secrets')),
    )
    assert.deepEqual(
      all.map(({ status, stderr }) => [status, stderr.includes('added')]),
      Array(4).fill([0, true]),
    )
    assert.equal(text().match(/^NAME/gm)?.length, 4)
  })

  it('kill -9 at any moment leaves the old file or the new one, and nothing in the way of the next command', async () => {
    const stanzas = Array.from({ length: 2000 }, (_, i) => `SOURCE ANY\nNAME u${i}\nOPEN_PORTS tcp/22\nKEY k${i}\n`)
    const old = stanzas.join('\n')
    const words = ['user', 'add', 'new', '--server', 'h', '--show-secrets', '-c', path('fwknopd.conf')]
    const [program = '', ...argv] = [...ghostportCommand, ...words]
    const drafts = () => readdirSync(folder).filter((name) => name.includes('draft'))
    /** @param until the moment of its end. @returns how long it ran, in milliseconds. */
    const run = async (until: (ended: Promise<unknown>) => Promise<unknown>): Promise<number> => {
      write('access.conf', old)
      const started = performance.now()
      const child = spawn(program, argv, { stdio: 'ignore' })
      const ended = new Promise((resolve) => child.once('exit', resolve))
      await until(ended)
      child.kill('SIGKILL')
      await ended
      const now = text()
      assert.ok(now === old || (now.startsWith(old) && /NAME +new\n[\s\S]*HMAC_KEY_BASE64 +\S+\n$/.test(now)))
      return performance.now() - started
    }
    const whole = await run((ended) => ended)
    assert.notEqual(text(), old)
    for (let part = 0.1; part < 1; part += 0.1) await run((ended) => Promise.race([ended, delay(whole * part)]))
    let seen = 0
    for (let i = 0; i < 5; i++)
      await run(async (ended) => {
        let isOver = false
        void ended.then(() => {
          isOver = true
        })
        while (!isOver && drafts().length === 0) await delay(0)
        if (!isOver) seen++
      })
    assert.ok(seen > 0, 'killed while it wrote')
    write('access.conf', old)
    await add('last')
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.includes('draft')),
      [],
    )
  })
})
