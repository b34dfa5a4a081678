/** `gpgdir` in hostile trees, with hostile programs, keys that do not work, and disks that cannot be written. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { ACCESS_ACL, attributeOf, setAttribute, setTimes } from '../../src/system/file-attributes.ts'
import type { Keyring } from '../support/gnupg.ts'
import {
  copyKeyring,
  fingerprintOf,
  type GpgdirRuns,
  gpgdirKeyring,
  gpgdirRuns,
  LOCKED_KEY,
  OPEN_KEY,
  PASSPHRASE,
  passphraseFile,
  sealWithGpg,
} from '../support/gpgdir.ts'
import { makeTree, mountSmall, type Tree, treeAt } from '../support/tree.ts'

const NOT_ROOT = process.getuid?.() === 0 ? false : 'root only'

describe('gpgdir under attack', { concurrency: 3 }, () => {
  let keyring: Keyring
  let gpgdir: GpgdirRuns
  before(() => {
    keyring = gpgdirKeyring()
    gpgdir = gpgdirRuns(keyring)
  })
  after(() => keyring.remove())
  const run: GpgdirRuns['run'] = (...args) => gpgdir.run(...args)
  const quick: GpgdirRuns['quick'] = (...args) => gpgdir.quick(...args)

  function sample(t: TestContext, ...names: readonly string[]): Tree {
    const tree = makeTree(t)
    for (const name of names.length === 0 ? ['one', 'sub/two'] : names) tree.write(name, `content of ${name}`)
    return tree
  }
  /** Another `gpg` in the path. @param script gets the real one as `$real`. */
  function withGpg(t: TestContext, script: string): GpgdirRuns {
    const { path } = makeTree(t)
    const real = spawnSync('sh', ['-c', 'command -v gpg'], { encoding: 'utf8' }).stdout.trim()
    writeFileSync(join(path, 'gpg'), `#!/bin/sh\nreal=${real}\n${script}\n`, { mode: 0o755 })
    return gpgdirRuns(keyring, { PATH: `${path}:${process.env['PATH']}` })
  }

  it('ACL, extended attributes and times to the nanosecond are those of the source', async (t) => {
    const tree = sample(t, 'plain', 'shared')
    const shared = join(tree.path, 'shared')
    // Version 2, then: owner rw, user 1234 rw, group nothing, mask rw, others nothing.
    const acl = Buffer.from(
      `02000000${['0100', '0200', '0400', '1000', '2000'].map((tag, i) => `${tag}${['0600', '0600', '0000', '0600', '0000'][i]}${i === 1 ? 'd2040000' : 'ffffffff'}`).join('')}`,
      'hex',
    )
    const descriptor = openSync(shared, 'r+')
    setAttribute(descriptor, ACCESS_ACL, acl)
    setAttribute(descriptor, 'user.note', Buffer.from('kept'))
    setTimes(descriptor, 1_234_567_890_123_456_789n, -1_234_567_890_123_456_789n)
    closeSync(descriptor)
    const look = (path: string) => {
      const opened = openSync(path, 'r')
      const { mode, mtimeNs } = lstatSync(path, { bigint: true })
      const found = [attributeOf(opened, ACCESS_ACL), attributeOf(opened, 'user.note')].map((each) =>
        each === undefined ? undefined : Buffer.from(each).toString('hex'),
      )
      closeSync(opened)
      return [mode, mtimeNs, ...found]
    }
    const earlier = look(shared)
    assert.deepEqual(earlier.slice(1), [-1_234_567_890_123_456_789n, acl.toString('hex'), '6b657074'])
    assert.equal((await quick('-e', tree.path)).status, 0)
    assert.deepEqual(look(`${shared}.gpg`), earlier)
    assert.equal((await quick('-d', tree.path)).status, 0)
    assert.deepEqual(look(shared), earlier)
    assert.deepEqual(look(join(tree.path, 'plain')).slice(2), [undefined, undefined])
    await quick('--no-preserve-times', '-e', tree.path)
    assert.ok(Date.now() - statSync(`${shared}.gpg`).mtimeMs < 60_000)
  })

  it('another group gets no right by it', { skip: NOT_ROOT }, async (t) => {
    const tree = sample(t, 'theirs', 'own')
    const own = copyKeyring(t, keyring)
    chownSync(tree.path, 1500, 1500)
    spawnSync('chown', ['-R', '1500:1500', own.home])
    chmodSync(join(tree.path, 'theirs'), 0o664)
    chownSync(join(tree.path, 'own'), 1500, 1500)
    chmodSync(join(tree.path, 'own'), 0o660)
    const { stderr, status } = await gpgdirRuns(own, {}, { uid: 1500, gid: 1500 }).quick('-e', tree.path)
    assert.equal(status, 0, stderr)
    const modes = ['theirs.gpg', 'own.gpg'].map((name) => statSync(join(tree.path, name)).mode & 0o777)
    assert.deepEqual(modes, [0o604, 0o660])
  })

  for (const [name, args] of [
    ['.gpgdir.journal', []],
    ['.gpgdir.pid', []],
    ['.gpgdir_map_file.gpg', ['-O']],
  ] as const)
    it(`a pipe, a link and a folder in the place of ${name} are refused`, async (t) => {
      for (const [what, make] of [
        ['pipe', (at: string) => void spawnSync('mkfifo', [at])],
        ['link', (at: string) => symlinkSync('/etc/hostname', at)],
        ['folder', (at: string) => mkdirSync(at)],
      ] as const) {
        const tree = sample(t, 'one')
        make(join(tree.path, name))
        const earlier = tree.contents()
        const { status, stderr } = await quick(...args, '-e', tree.path)
        assert.equal(status, 65, `${what}: ${stderr}`)
        assert.ok(stderr.includes(name), stderr)
        assert.deepEqual(tree.contents(), earlier, what)
      }
    })

  it('a journal of another user, or one that says what is not so, removes nothing', { skip: NOT_ROOT }, async (t) => {
    const tree = sample(t, 'one', 'one.gpg')
    const identity = (name: string) => {
      const { ino, size, mtimeNs } = lstatSync(join(tree.path, name), { bigint: true })
      return { inode: `${ino}`, size: `${size}`, modified: `${mtimeNs}` }
    }
    const [before, after] = [identity('one'), identity('one.gpg')]
    const journal = join(tree.path, '.gpgdir.journal')
    const claim = { folder: '', source: 'one', target: 'one.gpg' }
    writeFileSync(journal, `${JSON.stringify({ ...claim, before, after })}\n`)
    chownSync(journal, 1500, 1500)
    const { status, stderr } = await quick('-e', tree.path)
    assert.equal(status, 65)
    assert.match(stderr, /\.gpgdir\.journal belongs to the user 1500/)
    rmSync(journal)
    writeFileSync(journal, `${JSON.stringify({ ...claim, before, after: { ...after, size: '1' } })}\n`)
    assert.equal((await quick('-e', tree.path)).status, 0)
    assert.deepEqual(tree.names(), ['one', 'one.gpg'])
    // What is true is believed, but not where sources are kept.
    writeFileSync(journal, `${JSON.stringify({ ...claim, before, after })}\n`)
    await quick('--no-delete', '-e', tree.path)
    assert.deepEqual(tree.names(), ['.gpgdir.journal', 'one', 'one.gpg'])
    assert.match((await quick('-e', tree.path)).stdout, /Finished what an earlier run began: .*\/one\n/)
    assert.deepEqual(tree.names(), ['one.gpg'])
  })

  it('a read-only file system: nothing is begun, but verified and tried', { skip: NOT_ROOT }, async (t) => {
    const disk = mountSmall(t, 1024)
    const tree = treeAt(disk)
    tree.write('one', 'x')
    assert.equal((await quick('--sign-dir', disk)).status, 0)
    spawnSync('mount', ['-o', 'remount,ro', disk])
    const earlier = tree.contents()
    const { status, stderr } = await quick('-e', disk)
    assert.equal(status, 65)
    assert.match(stderr, /read-only file system/)
    assert.match((await quick('--verify-dir', disk)).stdout, /verified: 1\n/)
    assert.match((await quick('-T', '-e', disk)).stdout, /encrypted: 1\n/)
    assert.deepEqual(tree.contents(), earlier)
  })

  it('folders that are replaced by links meanwhile lead nowhere', async (t) => {
    const tree = makeTree(t)
    const outside = sample(t, 'f0', 'f1', 'f2', 'f3')
    for (let i = 0; i < 24; i++) tree.write(`sub/f${i}`, 'x')
    const [sub, aside, link] = ['sub', '.aside', '.link'].map((name) => join(tree.path, name)) as [
      string,
      string,
      string,
    ]
    symlinkSync(outside.path, link)
    const earlier = outside.contents()
    const { child } = gpgdir.start('-F', '-e', tree.path)
    for (let i = 0; child.exitCode === null && i < 5000; i++) {
      renameSync(sub, aside)
      renameSync(link, sub)
      await delay(1)
      renameSync(sub, link)
      renameSync(aside, sub)
      await delay(Math.random() * 4)
    }
    assert.deepEqual(outside.contents(), earlier)
    assert.equal((await quick('-d', tree.path)).status, 0)
    assert.equal(tree.names().filter((name) => /^sub\/f\d+$/.test(name)).length, 24)
  })

  it('a tree in another one: where one gpgdir works, a second does neither above nor below', async (t) => {
    const tree = sample(t, ...Array.from({ length: 60 }, (_, i) => `sub/below/f${i}`))
    const below = join(tree.path, 'sub/below')
    for (const [first, second, told] of [
      [tree.path, below, /another gpgdir works in .*, and this is a part of it/],
      [below, tree.path, /another gpgdir works in sub\/below/],
    ] as const) {
      const { child, ended } = gpgdir.start('-e', first)
      const lock = join(first, '.gpgdir.pid')
      // It has the lock before it writes its number there.
      const isLocked = (): boolean => (statSync(lock, { throwIfNoEntry: false })?.size ?? 0) > 0
      for (let i = 0; i < 500 && !isLocked(); i++) await delay(10)
      // It has not ended before the other one looks.
      child.kill('SIGSTOP')
      const { status, stderr } = await quick('-e', second)
      child.kill('SIGCONT')
      assert.equal(status, 65, stderr)
      assert.match(stderr, told)
      assert.deepEqual(await ended, [0, null])
      assert.equal((await quick('-d', first)).status, 0)
      // Its lock has gone with it, and a file that is left behind is no lock.
      tree.write('sub/below/.gpgdir.pid', '1\n')
      assert.equal((await quick('-d', second)).status, 0)
      rmSync(join(below, '.gpgdir.pid'), { force: true })
    }
  })

  it('many runs at once: one works, and the others are refused', async (t) => {
    const tree = sample(t, ...Array.from({ length: 10 }, (_, i) => `f${i}`))
    const runs = await Promise.all(Array.from({ length: 5 }, () => quick('-e', tree.path)))
    for (const { status, stderr } of runs) assert.ok(status === 0 || /another gpgdir works/.test(stderr), stderr)
    assert.equal(tree.names().length, 10)
    assert.ok(tree.names().every((name) => name.endsWith('.gpg')))
  })

  it('keys that do not work are found before anything is done, also without the self-test', async (t) => {
    const own = copyKeyring(t, keyring)
    const { run } = gpgdirRuns(own)
    const make = (name: string, ...time: readonly string[]): void => {
      const words = ['--pinentry-mode', 'loopback', '--passphrase', '', '--quick-generate-key', name]
      own.gpg(...time, ...words, 'future-default', 'default', '1d')
    }
    make('old@gpgdir.test', '--faked-system-time', '20200101T000000')
    make('new@gpgdir.test')
    make('revoked@gpgdir.test')
    const revocation = join(own.home, 'openpgp-revocs.d', `${fingerprintOf(own, 'revoked@gpgdir.test')}.rev`)
    writeFileSync(revocation, readFileSync(revocation, 'utf8').replace(':-----', '-----'))
    own.gpg('--import', revocation)
    const tree = sample(t)
    const earlier = tree.contents()
    const each = async (args: readonly string[], told: RegExp): Promise<void> => {
      const { status, stderr } = await run('--no-password', '-s', ...args, tree.path)
      assert.equal(status, 69, stderr)
      assert.match(stderr, told)
      assert.deepEqual(tree.contents(), earlier)
    }
    await each(['-K', 'old@gpgdir.test', '-e'], /“old@gpgdir\.test” has expired/)
    await each(['-K', 'old@gpgdir.test', '--sign-dir'], /“old@gpgdir\.test” has expired/)
    await each(['-K', 'revoked@gpgdir.test', '-e'], /“revoked@gpgdir\.test” is revoked/)
    await each(['-K', LOCKED_KEY, '--sign-dir'], /the key cannot sign: gpg asks for a passphrase/)
    // The clock of this host is wrong: the key is not made yet.
    appendFileSync(join(own.home, 'gpg.conf'), 'faked-system-time 20100101T000000\n')
    await each(['-K', 'new@gpgdir.test', '-e'], /“new@gpgdir.test” is invalid: .*clock/)
    await each(['-D', '-e'], /the key cannot encrypt: /)
  })

  it('a passphrase that is wrong at the second file stops the run there', async (t) => {
    const tree = sample(t, 'a')
    assert.equal((await run('-S', '-p', passphraseFile(t, 'first'), '-e', tree.path)).status, 0)
    tree.write('b', 'x')
    tree.write('c', 'x')
    assert.equal((await run('-S', '-p', passphraseFile(t, 'second'), '-e', tree.path)).status, 0)
    const { status, stderr } = await run('-S', '--jobs', '1', '-p', passphraseFile(t, 'first'), '-d', tree.path)
    assert.equal(status, 1)
    assert.match(
      stderr,
      /b\.gpg: the passphrase is wrong\n[\s\S]*Stopped: the passphrase is wrong\. Files not looked at: 1/,
    )
    assert.deepEqual(tree.names(), ['a', 'b.gpg', 'c.gpg'])
  })

  it('what is not encrypted, and only ends in .asc, stays', async (t) => {
    const tree = makeTree(t)
    const write = (name: string, ...args: string[]) => tree.write(name, keyring.gpg('--armor', ...args))
    tree.write('signed', 'x')
    write('key.asc', '--export', OPEN_KEY)
    write('signed.asc', '-u', OPEN_KEY, '-o', '-', '--detach-sign', join(tree.path, 'signed'))
    write('message.asc', '-u', OPEN_KEY, '-o', '-', '--clear-sign', join(tree.path, 'signed'))
    tree.write('noise.gpg', Buffer.alloc(5000, 0xc3))
    const earlier = tree.contents()
    const { status, stderr, stdout } = await quick('-d', tree.path)
    assert.equal(status, 1)
    assert.match(stdout, /signed\.asc: the target exists/)
    for (const name of ['key.asc', 'message.asc', 'noise.gpg']) assert.ok(stderr.includes(`/${name}: `), stderr)
    assert.deepEqual(tree.contents(), earlier)
  })

  it('a gpg that lies, breaks or is killed leaves all as it was, and its text cannot steer a terminal', async (t) => {
    const lists = 'case "$*" in *--list*) exec $real "$@";; esac'
    const done = "printf '[GNUPG:] BEGIN_ENCRYPTION 2 9\\n[GNUPG:] END_ENCRYPTION\\n' >&3"
    for (const [what, script, told] of [
      ['says nothing', 'exit 0', /gpg ended with status 0/],
      ['says that it is done, and fails', `${done}; exit 2`, /gpg ended with status 2/],
      ['says it twice', `${done}; ${done}; exit 0`, /gpg ended with status 0/],
      ['is killed', 'kill -9 $$', /ended by a signal/],
      ['steers the terminal', "printf '\\033]0;title\\007\\033[2J\\n' >&2; exit 1", /0;title/],
      ['writes without end', 'head -c 9000000 /dev/zero | tee /dev/fd/3 >&2; exit 1', /./],
    ] as const) {
      const tree = sample(t, 'a')
      const earlier = tree.contents()
      const { stdout, stderr, status } = await withGpg(t, `${lists}\n${script}`).quick('-v', '-e', tree.path)
      assert.notEqual(status, 0, what)
      assert.match(stderr, told, what)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what must not be there
      assert.doesNotMatch(stdout + stderr, /[\0-\x09\x0b-\x1f\x7f]/, what)
      assert.deepEqual(tree.contents(), earlier, what)
    }
    const { path } = makeTree(t)
    symlinkSync(process.execPath, join(path, 'node'))
    const none = await gpgdirRuns(keyring, { PATH: path }).quick('-e', sample(t).path)
    assert.match(none.stderr, /gpg cannot be started: there is no such program/)
  })

  it('gpg killed at the second file stops the run; one that is done stays done', async (t) => {
    const tree = sample(t, 'a', 'b', 'c')
    const once = makeTree(t)
    const killed = withGpg(
      t,
      `case "$*" in *--encrypt*) mkdir ${once.path}/1 2>/dev/null || mkdir ${once.path}/2 2>/dev/null || kill -9 $$;; esac\nexec $real "$@"`,
    )
    // The first call is the trial of the key.
    const { status, stderr } = await killed.quick('--jobs', '1', '-e', tree.path)
    assert.equal(status, 1)
    assert.match(stderr, /Stopped: gpg was ended by a signal/)
    assert.deepEqual(tree.names(), ['a.gpg', 'b', 'c'])
  })

  it('gpg-agent killed again and again: each file is whole, and the next run finishes', async (t) => {
    const own = copyKeyring(t, keyring)
    const { quick, start } = gpgdirRuns(own)
    const tree = sample(t, ...Array.from({ length: 20 }, (_, i) => `f${i}`))
    const earlier = tree.contents()
    assert.equal((await quick('-e', tree.path)).status, 0)
    const { child } = start('-d', tree.path)
    for (let i = 0; child.exitCode === null && i < 200; i++) {
      const asked = spawnSync('gpg-connect-agent', ['--homedir', own.home, '--no-autostart', 'getinfo pid', '/bye'])
      const pid = Number(/^D (\d+)/.exec(asked.stdout.toString())?.[1] ?? 0)
      if (pid > 1) process.kill(pid, 'SIGKILL')
      await delay(60)
    }
    const there = new Set(tree.names())
    for (const name of earlier.keys()) assert.ok(there.has(name) || there.has(`${name}.gpg`), name)
    assert.equal((await quick('-d', tree.path)).status, 0)
    assert.deepEqual(tree.contents(), earlier)
  })

  it('files at a time are no more than --jobs', async (t) => {
    const tree = sample(t, ...Array.from({ length: 6 }, (_, i) => `f${i}`))
    const log = join(makeTree(t).path, 'log')
    writeFileSync(log, '')
    const logged = withGpg(
      t,
      `echo begin >> ${log}\n$real "$@"\nstatus=$?\nsleep 0.2\necho end >> ${log}\nexit $status`,
    )
    assert.equal((await logged.quick('--jobs', '3', '-e', tree.path)).status, 0)
    let [running, most] = [0, 0]
    for (const line of readFileSync(log, 'utf8').trim().split('\n')) {
      running += line === 'begin' ? 1 : -1
      most = Math.max(most, running)
    }
    assert.equal(most, 3)
  })

  it('gpg gets the locale that is asked for, and the agent its passphrase', async (t) => {
    const tree = sample(t, 'a')
    const log = join(makeTree(t).path, 'log')
    const logged = withGpg(t, `echo "$LC_ALL" > ${log}\nexec $real "$@"`)
    for (const [args, locale] of [
      [[], 'C'],
      [['--locale', 'de_DE'], 'de_DE'],
      [['--no-locale'], process.env['LC_ALL'] ?? ''],
    ] as const) {
      await logged.quick(...args, '-T', '-e', tree.path)
      assert.equal(readFileSync(log, 'utf8').trim(), locale)
    }
    const own = copyKeyring(t, keyring)
    const { run } = gpgdirRuns(own)
    assert.equal((await run('-t', '-K', LOCKED_KEY, '-p', passphraseFile(t, PASSPHRASE))).status, 0)
    assert.equal((await run('-A', 'ignored', '-K', LOCKED_KEY, '-e', tree.path)).status, 0)
    assert.deepEqual(tree.names(), ['a.gpg'])
  })

  it('-q shows a bar on a terminal', async (t) => {
    const tree = sample(t, 'a', 'b')
    const shown = await gpgdir.typed(`-K ${OPEN_KEY} --no-password -s -q -e ${tree.path}`, [])
    assert.match(shown, /\r\[#{15}\.{15}\] 1 of 2\r\[#{30}\] 2 of 2\r?\n/)
  })

  it('-O leaves hidden and excluded folders their names, and -F takes the hidden ones', async (t) => {
    const tree = sample(t, '.git/config', 'a/x', 'kept/y', 'b/.deep/z')
    const earlier = tree.contents()
    assert.equal((await quick('-O', '--Exclude', '/kept/', '-e', tree.path)).status, 0)
    const names = tree.names().filter((name) => !name.includes('map_file'))
    assert.deepEqual(names, [
      '.git/',
      '.git/config',
      'gpgdir_d1/',
      'gpgdir_d1/gpgdir_1.gpg',
      'gpgdir_d2/',
      'gpgdir_d2/.deep/',
      'gpgdir_d2/.deep/z',
      'kept/',
      'kept/y',
    ])
    assert.equal((await quick('-O', '-d', tree.path)).status, 0)
    assert.deepEqual(tree.contents(), earlier)
    assert.equal((await quick('-O', '-F', '-e', tree.path)).status, 0)
    assert.doesNotMatch(tree.names().join(), /git\/|deep/)
    assert.equal((await quick('-O', '-d', tree.path)).status, 0)
    assert.deepEqual(tree.contents(), earlier)
  })

  it('-d -O: a trial shows the real names, filters look at them, and --no-recurse stays above', async (t) => {
    const tree = sample(t, 'top', 'photos/cat.jpg', 'photos/new/dog.jpg', 'texts/a.txt')
    const earlier = tree.contents()
    const tried = await quick('-O', '-T', '-e', tree.path)
    assert.match(tried.stdout, /Encrypting: .*\/photos\/new\/dog\.jpg\n/)
    assert.deepEqual(tree.contents(), earlier)
    assert.equal((await quick('-O', '-e', tree.path)).status, 0)
    const hidden = tree.contents()
    const trial = await quick('-O', '-T', '-d', tree.path)
    for (const line of ['photos/gpgdir_1.gpg -> cat.jpg', 'photos/new/gpgdir_1.gpg -> dog.jpg', 'gpgdir_1.gpg -> top'])
      assert.ok(trial.stdout.includes(`[+] Decrypting: ${tree.path}/${line}\n`), trial.stdout)
    const planned = await quick('-O', '-T', '--json', '--Include', String.raw`photos/.*\.jpg$`, '-d', tree.path)
    assert.deepEqual(
      planned.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).target),
      ['photos/cat.jpg', 'photos/new/dog.jpg', undefined],
    )
    assert.deepEqual(tree.contents(), hidden)
    assert.match((await quick('-O', '--no-recurse', '-d', tree.path)).stdout, /decrypted: 1\n/)
    assert.deepEqual(
      tree.names().filter((name) => !name.includes('/')),
      ['.gpgdir_dir_map_file.gpg', 'top'],
    )
    // A folder took the name meanwhile: it is told, and the rest comes back.
    mkdirSync(join(tree.path, 'texts'))
    const taken = await quick('-O', '--Exclude', 'cat', '-d', tree.path)
    assert.match(taken.stdout, /Skipping .*\/gpgdir_d\d: its real name is taken: texts\n/)
    rmSync(join(tree.path, 'texts'), { recursive: true })
    assert.equal((await quick('-O', '-d', tree.path)).status, 0)
    assert.deepEqual(tree.contents(), earlier)
  })

  it('a map that somebody decrypted by hand is read too', async (t) => {
    const tree = sample(t, 'a', 'b')
    const earlier = tree.contents()
    assert.equal((await quick('-O', '-e', tree.path)).status, 0)
    const map = join(tree.path, '.gpgdir_map_file')
    writeFileSync(map, keyring.gpg('--decrypt', `${map}.gpg`))
    rmSync(`${map}.gpg`)
    assert.equal((await quick('-O', '-d', tree.path)).status, 0)
    assert.deepEqual(tree.contents(), earlier)
  })

  it('two names for one obfuscated file, and names of gpgdir itself: a map cannot do harm', async (t) => {
    const tree = makeTree(t)
    tree.write('there', 'mine')
    sealWithGpg(keyring, 'x', join(tree.path, 'gpgdir_1.gpg'))
    const map = 'there gpgdir_1.gpg\nagain gpgdir_1.gpg\n.. gpgdir_1.gpg\na/b gpgdir_1.gpg\n'
    sealWithGpg(keyring, map, join(tree.path, '.gpgdir_map_file.gpg'))
    const earlier = tree.contents()
    const { stderr } = await quick('-O', '-d', tree.path)
    assert.match(stderr, /gpgdir_1\.gpg: the target exists now/)
    assert.deepEqual(tree.contents(), earlier)
  })

  for (const [what, map, files, told] of [
    ['a file beside it', 'a gpgdir_1.gpg', ['gpgdir_1.gpg', 'a.gpg'], /would both become a/],
    [
      'the file of another line',
      'gpgdir_2.gpg gpgdir_1.gpg\nb gpgdir_2.gpg',
      ['gpgdir_1.gpg', 'gpgdir_2.gpg'],
      /itself/,
    ],
  ] as const)
    it(`a map that gives a file the name of ${what} is refused, also with --overwrite-decrypted`, async (t) => {
      const tree = makeTree(t)
      for (const name of files) sealWithGpg(keyring, `content of ${name}`, join(tree.path, name))
      sealWithGpg(keyring, `${map}\n`, join(tree.path, '.gpgdir_map_file.gpg'))
      const earlier = tree.contents()
      for (const more of [['-T'], []]) {
        const { status, stderr } = await quick('-O', '-d', tree.path, '--overwrite-decrypted', ...more)
        assert.match(stderr, told)
        assert.equal(status, 65)
        assert.deepEqual(tree.contents(), earlier)
      }
    })

  it('names that end in .gpg twice are not replaced by each other', async (t) => {
    const tree = makeTree(t)
    sealWithGpg(keyring, 'one', join(tree.path, 'a.gpg.gpg'))
    sealWithGpg(keyring, 'two', join(tree.path, 'a.gpg'))
    const earlier = tree.contents()
    const { stderr } = await quick('-d', tree.path, '--overwrite-decrypted')
    assert.match(stderr, /a\.gpg\.gpg would become a\.gpg, which is to be done itself/)
    assert.deepEqual(tree.contents(), earlier)
  })

  it('a map that gives two files one name: each gets its own, also with --overwrite-encrypted', async (t) => {
    const tree = sample(t, 'a', 'b')
    const earlier = tree.contents()
    sealWithGpg(keyring, 'a gpgdir_1.gpg\nb gpgdir_1.gpg\n', join(tree.path, '.gpgdir_map_file.gpg'))
    assert.equal((await quick('-O', '-e', tree.path, '--overwrite-encrypted')).status, 0)
    assert.equal((await quick('-O', '-d', tree.path)).status, 0)
    assert.deepEqual(tree.contents(), earlier)
  })

  it('the keyring is that of GNUPGHOME, if no option names one', async (t) => {
    const tree = sample(t, 'a')
    const { path } = makeTree(t)
    const others = gpgdirRuns(keyring, { GNUPGHOME: keyring.home, HOME: path }, {}, [])
    assert.match((await others.quick('-e', tree.path)).stdout, /encrypted: 1\n/)
    assert.match((await others.quick('-d', tree.path, '-u', path)).stderr, /no secret key .* in .*\.gnupg/)
  })

  it('a folder that cannot be read stops all; a hidden one does so only with -F', { skip: NOT_ROOT }, async (t) => {
    const tree = sample(t, 'a', '.private/b')
    const own = copyKeyring(t, keyring)
    spawnSync('chown', ['-R', '1500:1500', own.home, tree.path])
    chownSync(join(tree.path, '.private'), 0, 0)
    chmodSync(join(tree.path, '.private'), 0o700)
    const user = gpgdirRuns(own, {}, { uid: 1500, gid: 1500 })
    assert.match((await user.quick('-F', '-e', tree.path)).stderr, /\.private: permission denied/)
    assert.match((await user.quick('-O', '-e', tree.path)).stdout, /encrypted: 1\n/)
    assert.match((await user.quick('-O', '-d', tree.path)).stdout, /decrypted: 1\n/)
    assert.deepEqual(tree.names(), ['.private/', '.private/b', 'a'])
    renameSync(join(tree.path, '.private'), join(tree.path, 'private'))
    const refused = await user.quick('-e', tree.path)
    assert.equal(refused.status, 65)
    assert.match(refused.stderr, /private: permission denied/)
    assert.ok(tree.names().includes('a'))
  })

  it('a signal before the first file leaves nothing behind', async (t) => {
    const tree = sample(t, 'a')
    const slow = withGpg(t, 'case "$*" in *--encrypt*) sleep 1;; esac\nexec $real "$@"')
    const earlier = tree.contents()
    const { child, ended } = slow.start('-e', tree.path)
    for (let i = 0; i < 500 && !tree.names().includes('.gpgdir.pid'); i++) await delay(10)
    child.kill('SIGTERM')
    await ended
    assert.equal(child.exitCode, 143)
    assert.deepEqual(tree.contents(), earlier)
  })
})
