/** `gpgdir` as a person runs it, with the real gpg and real keys. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, linkSync, mkdirSync, readFileSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type Keyring, makeKeyring } from '../support/gnupg.ts'
import {
  copyKeyring,
  forgetPassphrases,
  type GpgdirRuns,
  gpgdirKeyring,
  gpgdirRuns,
  LOCKED_KEY,
  OPEN_KEY,
  OTHER_KEY,
  PASSPHRASE,
  passphraseFile,
  sealWithGpg,
} from '../support/gpgdir.ts'
import { makeTree, mountSmall, type Tree, treeAt } from '../support/tree.ts'

/** Each has trees of its own; what knows or forgets passphrases has a keyring of its own. */
describe('gpgdir', { concurrency: 3 }, () => {
  let keyring: Keyring
  let gpgdir: GpgdirRuns
  before(() => {
    keyring = gpgdirKeyring()
    gpgdir = gpgdirRuns(keyring)
  })
  after(() => keyring.remove())
  const run: GpgdirRuns['run'] = (...args) => gpgdir.run(...args)
  const quick: GpgdirRuns['quick'] = (...args) => gpgdir.quick(...args)

  function sample(t: TestContext, inside?: string): Tree {
    const tree = makeTree(t, inside)
    for (const name of ['one', 'sub/two', 'sub/deep/three', '0', 'with space', '-dash', 'new\nline', 'a.gpg.txt'])
      tree.write(name, `content of ${name}`)
    tree.write(Buffer.from([0x62, 0xff, 0xfe]), 'no UTF-8')
    return tree
  }

  it('prints what gpgdir 1.9.6 prints', async (t) => {
    const tree = makeTree(t)
    for (const [i, name] of ['file1', 'file2', 'sub/file3'].entries()) {
      tree.write(name, name)
      utimesSync(join(tree.path, name), 100 + i, 1000 - i)
    }
    const { stdout, status } = await quick('-e', tree.path)
    assert.equal(
      stdout,
      [
        `[+] Executing: gpgdir -g ${keyring.home} -K ${OPEN_KEY} --no-password -s -e ${tree.path}`,
        `Using GnuPG key: ${OPEN_KEY}`,
        '',
        `[+] Encrypting files in directory: ${tree.path}`,
        '[+] Building file list...',
        // Oldest first.
        ...['sub/file3', 'file2', 'file1'].map((name) => `[+] Encrypting: ${tree.path}/${name}`),
        '',
        '[+] Total number of files encrypted: 3',
        '',
      ].join('\n'),
    )
    assert.equal(status, 0)
    assert.match((await quick('-d', tree.path)).stdout, /\n\n\[\+\] Total number of files decrypted: 3\n$/)
  })

  for (const [what, args, ending] of [
    ['binary', [], '.gpg'],
    ['ASCII armor', ['-P'], '.asc'],
  ] as const)
    it(`a tree comes back as it was: ${what}`, async (t) => {
      const tree = sample(t)
      chmodSync(join(tree.path, 'one'), 0o640)
      utimesSync(join(tree.path, 'one'), 1_000_000, 2_000_000)
      const earlier = tree.contents()
      assert.equal((await quick(...args, '-e', tree.path)).status, 0)
      const encrypted = tree.names().filter((name) => !name.endsWith('/'))
      assert.deepEqual(
        encrypted.filter((name) => !name.endsWith(ending)),
        [],
      )
      assert.equal(encrypted.length, [...earlier.keys()].filter((name) => !name.endsWith('/')).length)
      const { mode, mtimeMs } = statSync(join(tree.path, `one${ending}`))
      assert.deepEqual([mode & 0o777, mtimeMs], [0o640, 2_000_000_000])
      // A second run finds nothing to encrypt.
      const again = tree.contents()
      assert.match((await quick(...args, '-e', tree.path)).stdout, /encrypted: 0/)
      assert.deepEqual(tree.contents(), again)
      assert.equal((await quick('-d', tree.path)).status, 0)
      assert.deepEqual(tree.contents(), earlier)
    })

  it('files of plain gpg decrypt, by all their endings', async (t) => {
    const tree = makeTree(t)
    for (const [name, ...args] of [['a.gpg'], ['b.pgp'], ['c.asc', '--armor']] as const)
      sealWithGpg(keyring, 'text', join(tree.path, name), ...args)
    assert.equal((await quick('-d', tree.path)).status, 0)
    assert.deepEqual(tree.names(), ['a', 'b', 'c'])
    for (const name of tree.names()) assert.equal(readFileSync(join(tree.path, name), 'utf8'), 'text')
  })

  it('signs and verifies; a changed file and a lost one are told', async (t) => {
    const tree = sample(t)
    assert.match((await quick('--sign-dir', tree.path)).stdout, /signed: 9\n/)
    assert.match((await quick('--verify-dir', tree.path)).stdout, /verified: 9\n/)
    writeFileSync(join(tree.path, 'one'), 'changed')
    spawnSync('rm', [join(tree.path, '0')])
    const { status, stdout, stderr } = await quick('--verify-dir', tree.path)
    assert.equal(status, 1)
    assert.match(stderr, /one\.asc: \[GNUPG:\] BADSIG /)
    assert.match(stdout, /Skipping .*\/0\.asc: the signed file is missing/)
    assert.match(stdout, /verified: 7\n/)
  })

  it('links, empty and hidden files, sockets and files with several names stay as they are', async (t) => {
    const tree = makeTree(t)
    tree.write('plain', 'text')
    tree.write('empty', '')
    tree.write('.hidden', 'text')
    tree.write('.folder/file', 'text')
    tree.write('.gnupg/file', 'text')
    tree.write('twin', 'text')
    linkSync(join(tree.path, 'twin'), join(tree.path, 'other'))
    symlinkSync('plain', join(tree.path, 'link'))
    symlinkSync('/etc', join(tree.path, 'away'))
    spawnSync('mkfifo', [join(tree.path, 'pipe')])
    const { stdout } = await quick('-e', tree.path, '-v')
    for (const why of [
      'empty: empty',
      'hidden: hidden',
      'link: symbolic link',
      'away: symbolic link',
      'pipe: not a regular file',
      'twin: has several names',
    ])
      assert.ok(stdout.includes(`/${why}\n`) || stdout.includes(`/.${why}\n`), why)
    assert.deepEqual(
      tree.names().filter((name) => name.endsWith('.gpg')),
      ['plain.gpg'],
    )
    assert.match((await quick('-F', '-e', tree.path)).stdout, /encrypted: 4\n/)
    assert.ok(tree.names().includes('.gnupg/file'), 'a keyring is never touched')
  })

  it('two sources with one target are refused before anything is done', async (t) => {
    const tree = makeTree(t)
    tree.write('sub/z.gpg', 'x')
    tree.write('a.gpg', 'x')
    tree.write('a.pgp', 'x')
    const earlier = tree.contents()
    const { status, stderr } = await quick('-d', tree.path)
    assert.equal(status, 65)
    assert.match(stderr, /a\.gpg and a\.pgp would both become a/)
    assert.deepEqual(tree.contents(), earlier)
  })

  it('a target that is there stays, unless it may be replaced; a link is never replaced', async (t) => {
    const tree = makeTree(t)
    for (const name of ['a', 'a.gpg', 'b']) tree.write(name, `content of ${name}`)
    symlinkSync('/etc/hostname', join(tree.path, 'b.gpg'))
    const earlier = tree.contents()
    assert.match((await quick('-e', tree.path)).stdout, /Skipping .*\/a: the target exists/)
    assert.deepEqual(tree.contents(), earlier)
    assert.match((await quick('--overwrite-encrypted', '-e', tree.path)).stdout, /encrypted: 1\n/)
    assert.deepEqual(tree.names(), ['a.gpg', 'b', 'b.gpg'])
    assert.equal((await quick('-d', tree.path)).status, 0)
    assert.deepEqual(tree.names(), ['a', 'b', 'b.gpg'])
    assert.equal(readFileSync(join(tree.path, 'a'), 'utf8'), 'content of a')
  })

  it('filters by regular expression and by glob; what excludes counts first', async (t) => {
    const cases: readonly (readonly [string, readonly string[], readonly string[]])[] = [
      ['regular expressions', ['--Exclude', 'sub/', '--Exclude', 'one$'], ['a.iso', 'two.txt']],
      ['includes', ['--Include', String.raw`\.txt$`], ['sub/four.txt', 'two.txt']],
      ['both', ['--Include', String.raw`\.txt$`, '--Exclude', 'four'], ['two.txt']],
      ['globs', ['--exclude-glob', '*.iso', '--exclude-glob', 'sub/**'], ['one', 'two.txt']],
      ['a glob of a folder', ['--include-glob', 'sub/*'], ['sub/four.txt', 'sub/three.iso']],
    ]
    for (const [what, args, expected] of cases) {
      const tree = makeTree(t)
      for (const name of ['one', 'two.txt', 'a.iso', 'sub/three.iso', 'sub/four.txt']) tree.write(name, 'x')
      assert.equal((await quick('-e', tree.path, ...args)).status, 0)
      const taken = tree.names().flatMap((name) => (name.endsWith('.gpg') ? [name.slice(0, -4)] : []))
      assert.deepEqual(taken, expected, what)
    }
    const tree = makeTree(t)
    writeFileSync(join(tree.path, 'patterns'), 'fine\n(\n')
    const { status, stderr } = await quick('-e', tree.path, '--Exclude-from', join(tree.path, 'patterns'))
    assert.equal(status, 64)
    assert.match(stderr, /patterns:2: .*“\(” is no regular expression/)
  })

  it('a wrong passphrase, and a missing or ambiguous key, are found before anything is done', async (t) => {
    const tree = sample(t)
    const own = copyKeyring(t, keyring)
    const { run } = gpgdirRuns(own)
    const earlier = tree.contents()
    for (const [args, told] of [
      [['-K', LOCKED_KEY, '-p', passphraseFile(t, 'wrong')], /the passphrase is wrong/],
      [['-K', 'nobody@gpgdir.test', '-p', passphraseFile(t, 'wrong')], /there is no public key “nobody@gpgdir.test”/],
      [['-K', 'test', '--no-password'], /“test” is a part of \d+ public keys .*-K [0-9A-F]{16}/],
      [['-K', LOCKED_KEY, '--no-password'], /self-test cannot decrypt/],
    ] as const) {
      const { status, stderr } = await run('-e', tree.path, ...args)
      assert.equal(status, 69, stderr)
      assert.match(stderr, told)
      assert.deepEqual(tree.contents(), earlier)
    }
    const right = ['-K', LOCKED_KEY, '-p', passphraseFile(t, PASSPHRASE)]
    assert.equal((await run('-e', tree.path, ...right)).status, 0)
    const encrypted = tree.contents()
    forgetPassphrases(own)
    const wrong = await run('-d', tree.path, '-s', '-K', LOCKED_KEY, '-p', passphraseFile(t, 'wrong'))
    assert.equal(wrong.status, 1)
    assert.match(wrong.stderr, /the passphrase is wrong[\s\S]*Stopped/)
    assert.deepEqual(tree.contents(), encrypted)
    assert.equal((await run('-d', tree.path, ...right)).status, 0)
    assert.deepEqual(tree.contents(), earlier)
  })

  it('a file for a different key is told of, and the others go on', async (t) => {
    const tree = makeTree(t)
    for (const name of ['mine', 'broken.gpg']) tree.write(name, name)
    assert.equal((await quick('-e', tree.path)).status, 0)
    const foreign = makeKeyring([OTHER_KEY])
    t.after(() => foreign.remove())
    const there = ['--homedir', foreign.home, '--batch', '--pinentry-mode', 'loopback', '--passphrase', '']
    spawnSync('gpg', [...there, '--quick-generate-key', 'far@gpgdir.test', 'future-default', 'default', 'never'])
    spawnSync('gpg', [
      ...there,
      '--trust-model',
      'always',
      '-r',
      'far@gpgdir.test',
      '-o',
      join(tree.path, 'theirs.gpg'),
      '-e',
      '/etc/hostname',
    ])
    const { status, stderr, stdout } = await quick('-d', tree.path)
    assert.equal(status, 1)
    assert.match(stderr, /theirs\.gpg: it is encrypted with a different GnuPG key/)
    assert.match(stderr, /broken\.gpg: it is no OpenPGP message/)
    assert.match(stdout, /decrypted: 1\n/)
    assert.deepEqual(tree.names(), ['broken.gpg', 'mine', 'theirs.gpg'])
  })

  it('a file that somebody encrypted with another passphrase does not keep the others back', async (t) => {
    const tree = makeTree(t)
    sealWithGpg(keyring, 'mine', join(tree.path, 'mine.gpg'))
    const words = ['--batch', '--pinentry-mode', 'loopback', '--passphrase', 'of a stranger', '-o']
    tree.write('plain', 'x')
    keyring.gpg(...words, join(tree.path, 'a.gpg'), '--symmetric', join(tree.path, 'plain'))
    utimesSync(join(tree.path, 'a.gpg'), 1, 1)
    const { status, stdout, stderr } = await run('-K', OPEN_KEY, '--no-password', '-d', tree.path)
    assert.match(stderr, /a\.gpg: it needs another passphrase/)
    assert.match(stdout, /decrypted: 1\n/)
    assert.equal(status, 1)
    assert.deepEqual(tree.names(), ['a.gpg', 'mine', 'plain'])
  })

  it('encrypts by a passphrase alone', async (t) => {
    const tree = sample(t)
    const earlier = tree.contents()
    const file = passphraseFile(t, 'a passphrase')
    assert.equal((await run('-S', '-p', file, '-e', tree.path)).status, 0)
    const encrypted = tree.contents()
    assert.equal((await run('-S', '-s', '-p', passphraseFile(t, 'another'), '-d', tree.path)).status, 1)
    assert.deepEqual(tree.contents(), encrypted)
    assert.equal((await run('-S', '-p', file, '-d', tree.path)).status, 0)
    assert.deepEqual(tree.contents(), earlier)
  })

  it('-O hides the names of files and folders, again and again, and brings them back', async (t) => {
    const tree = sample(t)
    tree.write('only folders here/below/file', 'x')
    spawnSync('rm', [join(tree.path, 'new\nline')])
    const earlier = tree.contents()
    assert.equal((await quick('-O', '-e', tree.path)).status, 0)
    const hidden = tree.names().map((name) => name.replace(/.*\/(?=.)/, ''))
    for (const name of hidden) assert.match(name, /^(gpgdir_\d+\.gpg|gpgdir_d\d+\/|\.gpgdir_(dir_)?map_file\.gpg)$/)
    // Without -O they are left alone.
    const left = tree.contents()
    assert.match((await quick('-d', tree.path)).stdout, /try decrypting with -O/)
    assert.deepEqual(tree.contents(), left)
    // New files get new numbers; a file of a name that is hidden there stays.
    tree.write('later', 'x')
    tree.write('one', 'another')
    const again = await quick('-O', '-e', tree.path)
    assert.match(again.stderr, /one: the target exists now/)
    spawnSync('rm', [join(tree.path, 'one')])
    assert.equal((await quick('-O', '-e', tree.path)).status, 0)
    assert.equal((await quick('-O', '-d', tree.path)).status, 0)
    const later = tree.contents()
    assert.ok(later.delete('later'))
    assert.deepEqual(later, earlier)
  })

  it('maps as gpgdir 1.9.6 writes them are read, and lines that lead elsewhere are not', async (t) => {
    const tree = makeTree(t)
    const seal = (path: string, text: string) => sealWithGpg(keyring, text, join(tree.path, path))
    mkdirSync(join(tree.path, 'gpgdir_d1'))
    seal('.gpgdir_dir_map_file.gpg', 'my folder gpgdir_d1\n../away gpgdir_d2\n')
    seal('gpgdir_d1/.gpgdir_map_file.gpg', 'my file gpgdir_1.gpg\n/tmp/evil gpgdir_2.gpg\nold gpgdir_1234_5.gpg\n')
    for (const name of ['gpgdir_1.gpg', 'gpgdir_2.gpg', 'gpgdir_1234_5.gpg']) seal(`gpgdir_d1/${name}`, name)
    assert.equal((await quick('-O', '-d', tree.path)).status, 0)
    assert.deepEqual(
      tree.names().filter((name) => !name.includes('map_file')),
      ['my folder/', 'my folder/gpgdir_2.gpg', 'my folder/my file', 'my folder/old'],
    )
  })

  it('killed at any moment with -O, no name is lost, and the next run finishes', async (t) => {
    const tree = makeTree(t)
    for (let i = 0; i < 24; i++) tree.write(`${i % 3}/deep/file ${i}`, `content ${i}`)
    const earlier = tree.contents()
    let killed = 0
    for (let round = 0; round < 10; round++) {
      const mode = round % 2 === 0 ? '-e' : '-d'
      const { child, ended } = gpgdir.start('-O', mode, tree.path)
      await Promise.race([ended, delay(120 + Math.random() * 600)])
      if (child.exitCode === null && child.kill('SIGKILL')) killed++
      await ended
    }
    assert.ok(killed > 0)
    await delay(200)
    const last = await quick('-O', '-d', tree.path)
    assert.equal(last.status, 0, last.stdout + last.stderr)
    assert.deepEqual(tree.contents(), earlier)
  })

  it('~/.gpgdirrc is made, and names the key afterwards', async (t) => {
    const tree = sample(t)
    const home = makeTree(t)
    const rc = join(home.path, '.gpgdirrc')
    const asked = ['-u', home.path, '--no-password', '-e', tree.path]
    const first = await run(...asked)
    assert.equal(first.status, 78)
    assert.match(first.stderr, /\.gpgdirrc was made: name your key in it/)
    assert.equal(statSync(rc).mode & 0o777, 0o600)
    assert.match((await run(...asked)).stderr, /names no key/)
    writeFileSync(rc, '# a comment\nuse-key ABCD\n')
    assert.match((await run(...asked)).stderr, /\.gpgdirrc:2: .*“use-key” — perhaps: use_key/)
    writeFileSync(rc, `use_key ${OPEN_KEY}\ndefault_key\n`)
    assert.match((await run(...asked)).stdout, /Using GnuPG key: server2048\n/)
  })

  it('gpg-agent gives the passphrase that it knows', async (t) => {
    const tree = sample(t)
    const own = copyKeyring(t, keyring)
    const { run } = gpgdirRuns(own)
    // The agent learns it here.
    assert.equal((await run('-t', '-K', LOCKED_KEY, '-p', passphraseFile(t, PASSPHRASE))).status, 0)
    const earlier = tree.contents()
    assert.equal((await run('-a', '-K', LOCKED_KEY, '-e', tree.path)).status, 0)
    assert.equal((await run('-a', '-K', LOCKED_KEY, '-d', tree.path)).status, 0)
    assert.deepEqual(tree.contents(), earlier)
  })

  it('asks for a passphrase without echo, and asks for a new one twice', async (t) => {
    const tree = sample(t)
    const earlier = tree.contents()
    assert.match(await gpgdir.typed(`-S -e ${tree.path}`, ['first', 'other']), /the two passphrases differ/)
    assert.deepEqual(tree.contents(), earlier)
    assert.doesNotMatch(await gpgdir.typed(`-S -e ${tree.path}`, ['secret word', 'secret word']), /secret word/)
    assert.equal(tree.names().filter((name) => name.endsWith('.gpg')).length, 9)
    await gpgdir.typed(`-S -d ${tree.path}`, ['secret word'])
    assert.deepEqual(tree.contents(), earlier)
  })

  it('-I asks before each file: Enter means yes, and without a terminal nobody agrees', async (t) => {
    const tree = makeTree(t)
    for (const name of ['a', 'b', 'c']) tree.write(name, 'x')
    for (const [i, name] of ['a', 'b', 'c'].entries()) utimesSync(join(tree.path, name), i, i)
    const shown = await gpgdir.typed(`-K ${OPEN_KEY} --no-password -s -I -e ${tree.path}`, ['', 'n', 'y'])
    assert.match(shown, /encrypt .*\/a\? \[Y\/n\]/)
    assert.deepEqual(tree.names(), ['a.gpg', 'b', 'c.gpg'])
    const alone = await quick('-I', '-e', tree.path)
    assert.equal(alone.status, 0)
    assert.deepEqual(tree.names(), ['a.gpg', 'b', 'c.gpg'])
  })

  it('-W removes the sources by a program, which gets names as words', async (t) => {
    const tree = makeTree(t)
    tree.write('a b; touch evil', 'x')
    tree.write('kept', 'x')
    assert.equal((await quick('-W', '--wipe-path', '/bin/rm', '--wipe-cmdline', '-f', '-e', tree.path)).status, 0)
    assert.deepEqual(tree.names(), ['a b; touch evil.gpg', 'kept.gpg'])
    tree.write('third', 'x')
    const missing = await quick('-W', '--wipe-path', '/nonexistent/wipe', '-e', tree.path)
    assert.equal(missing.status, 65)
    assert.match(missing.stderr, /\/nonexistent\/wipe cannot be run/)
    // The source stays, and so does its result; the next run finishes.
    const failing = await quick('-W', '--wipe-path', '/bin/false', '-e', tree.path)
    assert.equal(failing.status, 1)
    assert.match(failing.stderr, /third: it cannot be removed: \/bin\/false ended with status 1/)
    assert.ok(tree.names().includes('third') && tree.names().includes('third.gpg'))
    assert.match((await quick('-e', tree.path)).stdout, /Finished what an earlier run began: .*\/third\n/)
    assert.deepEqual(tree.names(), ['a b; touch evil.gpg', 'kept.gpg', 'third.gpg'])
  })

  it('the default key of gpg, by -D and by the rc file', async (t) => {
    const tree = makeTree(t)
    const home = makeTree(t)
    writeFileSync(join(home.path, '.gpgdirrc'), 'default_key\n')
    for (const [name, ...args] of [
      ['a', '-D'],
      ['b', '-u', home.path],
    ] as const) {
      tree.write(name, 'x')
      const { stdout, stderr } = await run('--no-password', ...args, '-e', tree.path)
      assert.match(stdout, /Using GnuPG key: default key\n[\s\S]*encrypted: 1\n/, stderr)
    }
    assert.equal((await run('-D', '--no-password', '-d', tree.path)).status, 0)
    assert.deepEqual(tree.names(), ['a', 'b'])
  })

  it('folders as people write them: relative, with a slash at the end, and none', async (t) => {
    const tree = sample(t)
    const { path } = makeTree(t)
    const [top, home] = [relative(process.cwd(), tree.path), relative(process.cwd(), keyring.home)]
    for (const folder of [`${tree.path}/`, `${top}/.`, top]) {
      const { stdout } = await quick('-T', '-g', home, '-e', folder)
      assert.ok(stdout.includes(`files in directory: ${tree.path}\n`), stdout)
      assert.match(stdout, /encrypted: 9\n/)
    }
    const file = join(path, 'file')
    writeFileSync(file, '')
    assert.match((await quick('-e', file)).stderr, /a part of the path is a file|not a (?:folder|directory)/)
  })

  it('--no-recurse, --no-delete, --overwrite-decrypted and lists of patterns', async (t) => {
    const tree = makeTree(t)
    for (const name of ['a', 'b', 'sub/c']) tree.write(name, `content of ${name}`)
    assert.match((await quick('--no-recurse', '--no-delete', '-e', tree.path)).stdout, /encrypted: 2\n/)
    assert.deepEqual(tree.names(), ['a', 'a.gpg', 'b', 'b.gpg', 'sub/', 'sub/c'])
    tree.write('a', 'another')
    assert.match((await quick('-d', tree.path)).stdout, /\/a\.gpg: the target exists/)
    const list = join(makeTree(t).path, 'list')
    writeFileSync(list, '/a\n\n')
    assert.match(
      (await quick('--Include-from', list, '--overwrite-decrypted', '-d', tree.path)).stdout,
      /decrypted: 1\n/,
    )
    assert.equal(readFileSync(join(tree.path, 'a'), 'utf8'), 'content of a')
    assert.match((await quick('--Exclude-from', list, '-e', tree.path)).stdout, /encrypted: 1\n/)
    assert.deepEqual(tree.names(), ['a', 'b', 'b.gpg', 'sub/', 'sub/c.gpg'])
  })

  it('-F goes on where a source cannot be removed; without it the run stops', async (t) => {
    const wipe = ['-W', '--wipe-path', '/bin/false', '--jobs', '1']
    for (const [args, encrypted] of [
      [[], 1],
      [['-F'], 2],
    ] as const) {
      const tree = makeTree(t)
      for (const name of ['a', 'b']) tree.write(name, 'x')
      assert.equal((await quick(...wipe, ...args, '-e', tree.path)).status, 1)
      assert.equal(tree.names().filter((name) => name.endsWith('.gpg')).length, encrypted)
    }
  })

  it('-W --wipe-interactive tells wipe to ask', async (t) => {
    const tree = makeTree(t)
    const log = join(makeTree(t).path, 'log')
    const wipe = join(makeTree(t).path, 'wipe')
    writeFileSync(wipe, `#!/bin/sh\necho "$1" >> ${log}\nrm "$2"\n`, { mode: 0o755 })
    tree.write('a', 'x')
    assert.equal((await quick('-W', '--wipe-path', wipe, '--wipe-interactive', '-e', tree.path)).status, 0)
    assert.equal(readFileSync(log, 'utf8'), '-i\n')
  })

  it('-O: another map file, a tree that has maps already, and -F for one name', async (t) => {
    const tree = makeTree(t)
    for (const name of ['a', 'b']) tree.write(name, `content of ${name}`)
    const earlier = tree.contents()
    const own = ['-O', '--obfuscate-map-file', '.secret']
    assert.equal((await quick(...own, '-e', tree.path)).status, 0)
    assert.deepEqual(tree.names(), ['.secret.gpg', 'gpgdir_1.gpg', 'gpgdir_2.gpg'])
    assert.equal((await quick(...own, '-d', tree.path)).status, 0)
    assert.deepEqual(tree.contents(), earlier)
    await quick('-O', '-e', tree.path)
    tree.write('c', 'x')
    const plain = await quick('-e', tree.path)
    assert.equal(plain.status, 65)
    assert.match(plain.stderr, /\.gpgdir_map_file\.gpg has the real names of obfuscated files/)
    assert.match((await quick('-F', '-d', tree.path)).stdout, /decrypted: 3\n/)
    assert.ok(tree.names().includes('gpgdir_1'))
    for (const name of ['a/b', '..', '.gpgdir.pid', 'x.gpg'])
      assert.match(
        (await quick('-O', '--obfuscate-map-file', name, '-e', tree.path)).stderr,
        /needs the name of a file/,
      )
  })

  it('says its version and its options', async () => {
    assert.match((await run('-V')).stdout, /^gpgdir of ghostport \d/)
    assert.match((await run('-h')).stdout, /--encrypt-dir[\s\S]*--wipe-path/)
  })

  it('refuses to run for one user with the rights of another', { skip: process.getuid?.() !== 0 }, async (t) => {
    const tree = sample(t)
    const words = ['--ruid', '1500', process.execPath, '--conditions=ghostport-source', 'src/cli/gpgdir.ts']
    const { status, stderr } = spawnSync('setpriv', [...words, '-D', '-e', tree.path], { encoding: 'utf8' })
    assert.equal(status, 65, stderr)
    assert.match(stderr, /the real and the effective user differ/)
  })

  it('a trial run changes nothing, and shows what would be done', async (t) => {
    const tree = sample(t)
    const earlier = tree.contents()
    const { stdout, status } = await run('-T', '-K', OPEN_KEY, '-e', tree.path)
    assert.equal(status, 0)
    assert.match(stdout, /Encrypting: .*new\\nline\n/)
    assert.deepEqual(tree.contents(), earlier)
  })

  it('--json has one line a file, and a sum', async (t) => {
    const tree = makeTree(t)
    tree.write('a', 'x')
    tree.write('b', 'x')
    tree.write('b.gpg', 'x')
    const lines = (await quick('--json', '-e', tree.path)).stdout
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text) as unknown)
    assert.deepEqual(lines, [
      { path: 'b', outcome: 'skipped', why: 'the target exists' },
      { path: 'a', target: 'a.gpg', outcome: 'encrypted' },
      { encrypted: 1, failed: 0, left: 0 },
    ])
  })

  it('words that contradict each other are refused', async () => {
    for (const [args, told] of [
      [['-e', 'a', '-d', 'b'], /--encrypt-dir and --decrypt-dir contradict/],
      [['-O', '--sign-dir', 'a'], /-O has no meaning/],
      [['--overwrite-encrypted', '-d', 'a'], /is for -e/],
      [[], /say what to do — perhaps: -e DIR/],
      [['somewhere'], /unexpected argument “somewhere” — perhaps: -e somewhere/],
      [['-e', 'a', '--jobs', '0'], /--jobs needs a number from 1 to 256/],
      [['--encript-dir', 'a'], /there is no option --encript-dir — perhaps: --encrypt-dir/],
      [['-e', '/nonexistent/gpgdir', '-K', OPEN_KEY, '--no-password'], /there is no such file/],
    ] as const) {
      const { status, stderr } = await run(...args)
      assert.ok(status === 64 || status === 65, stderr)
      assert.match(stderr, told)
    }
  })

  it('a folder that cannot be written stops all before the start', async (t) => {
    const tree = sample(t)
    chmodSync(join(tree.path, 'sub'), 0o555)
    const earlier = tree.contents()
    const { status, stderr } = await quick('-e', tree.path)
    assert.equal(status, 65)
    assert.match(stderr, /sub is write-protected/)
    assert.deepEqual(tree.contents(), earlier)
    chmodSync(join(tree.path, 'sub'), 0o755)
  })

  it('two at once in one tree: the second is refused, and a lock that was left behind is not', async (t) => {
    const tree = makeTree(t)
    for (let i = 0; i < 40; i++) tree.write(`f${i}`, 'x')
    const { child, ended } = gpgdir.start('-e', tree.path)
    for (let i = 0; i < 500 && !tree.names().includes('.gpgdir.pid'); i++) await delay(10)
    const { status, stderr } = await quick('-e', tree.path)
    assert.equal(status, 65)
    assert.match(stderr, new RegExp(`another gpgdir works in this folder: process ${child.pid}`))
    await ended
    tree.write('.gpgdir.pid', '1\n')
    assert.equal((await quick('-d', tree.path)).status, 0)
    assert.equal(tree.names().length, 40)
  })

  it('a full disk leaves each file whole, and the next run finishes', { skip: process.getuid?.() !== 0 }, async (t) => {
    const disk = mountSmall(t, 2048)
    const tree = treeAt(disk)
    for (let i = 0; i < 10; i++) tree.write(`f${i}`, randomBytes(120_000))
    tree.write('filler', randomBytes(450_000))
    const earlier = tree.contents()
    const stopped = await run('-K', OPEN_KEY, '--no-password', '-s', '--no-delete', '-e', disk, '--Exclude', 'filler')
    assert.equal(stopped.status, 1, stopped.stdout + stopped.stderr)
    assert.match(stopped.stderr, /Stopped: .*[Nn]o space left/)
    const left = tree.contents()
    for (const [name, hash] of earlier) assert.equal(left.get(name), hash, name)
    assert.deepEqual(
      tree.names().filter((name) => name.startsWith('.gpgdir')),
      [],
    )
    spawnSync('rm', [join(disk, 'filler')])
    spawnSync('sh', ['-c', `rm -f ${disk}/*.gpg`])
    assert.equal((await quick('-e', disk)).status, 0)
    assert.equal((await quick('-d', disk)).status, 0)
    assert.deepEqual(tree.contents(), new Map([...earlier].filter(([name]) => name !== 'filler')))
  })

  it('killed at any moment, each file is whole in one form or the other, and the next run finishes', async (t) => {
    const tree = makeTree(t)
    for (let i = 0; i < 40; i++) tree.write(`${i % 4}/file ${i}`, `content ${i}\n`.repeat(1 + i * 50))
    const earlier = tree.contents()
    let killed = 0
    for (let round = 0; round < 12; round++) {
      const mode = round % 2 === 0 ? '-e' : '-d'
      const { child, ended } = gpgdir.start(mode, tree.path)
      await Promise.race([ended, delay(120 + Math.random() * 500)])
      if (child.exitCode === null) {
        child.kill('SIGKILL')
        killed++
      }
      await ended
      // Children of the killed one may still write to files without a name.
      const now = tree.contents()
      for (const [name, hash] of earlier) {
        if (name.endsWith('/')) continue
        assert.ok(now.has(name) || now.has(`${name}.gpg`), `${name} is lost`)
        if (now.has(name)) assert.equal(now.get(name), hash, name)
      }
    }
    assert.ok(killed > 0)
    assert.equal((await quick('-e', tree.path)).status, 0)
    const encrypted = tree.names().filter((name) => !name.endsWith('/'))
    assert.equal(encrypted.filter((name) => name.endsWith('.gpg')).length, 40, encrypted.join())
    assert.equal(encrypted.length, 40)
    assert.equal((await quick('-d', tree.path)).status, 0)
    assert.deepEqual(tree.contents(), earlier)
  })

  it('Ctrl-C ends gpg too, takes back what was begun, and leaves nothing behind', async (t) => {
    const tree = makeTree(t)
    for (let i = 0; i < 200; i++) tree.write(`f${i}`, 'x')
    const { child, ended } = gpgdir.start('-e', tree.path)
    for (let i = 0; i < 500 && !tree.names().some((name) => name.endsWith('.gpg')); i++) await delay(10)
    child.kill('SIGINT')
    await ended
    assert.equal(child.exitCode, 130)
    const names = tree.names()
    assert.equal(names.length, 200, names.filter((name) => name.startsWith('.')).join())
    mkdirSync(join(tree.path, 'empty'))
    assert.equal((await quick('-d', tree.path)).status, 0)
  })
})
