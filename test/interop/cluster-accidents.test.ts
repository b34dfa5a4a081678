/**
 * `ghostport cluster` where something goes wrong in the middle: killed at each step that reaches the disk, a full disk,
 * files of somebody else. The host can be what it was, or what it was to become. Done again, the command ends well, and
 * no file with a secret stays beside it.
 */
import assert from 'node:assert/strict'
import { chownSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ghostportCommand, Home, type Transcript } from '../cli/ghostport.ts'
import { some } from '../support/in-full.ts'
import { ROOT, SecuredEtcd } from '../support/secured-etcd.ts'

/** More than a command has: it is then done, without being killed. */
const MOST_STEPS = 60
/** More than a command writes. */
const MOST_PAGES = 24
/** System calls after which the disk has something else. */
const STEPS = ['/^f(data)?sync$', '/^rename', '/^(un)?link'] as const

describe('ghostport cluster, in the middle of an accident', { skip: process.getuid?.() !== 0 }, () => {
  const home = new Home()
  let etcd: SecuredEtcd
  let init: readonly string[]
  let invitation: string
  let hosts = 0

  before(async () => {
    etcd = await SecuredEtcd.start()
    await etcd.enableLogins()
    const admin = home.write('admin', `${ROOT.password}\n`)
    const ways = ['--etcd', etcd.at, '--ca-file', etcd.caFile, '--admin-password-file', admin]
    init = ['init', 'front', ...ways, '--node', 'web-1']
    const one = host()
    good(await one.run(init))
    invitation = join(home.path, 'front.join')
    good(await one.run(['invite', invitation]))
  })
  after(async () => {
    await etcd[Symbol.asyncDispose]()
    home[Symbol.dispose]()
  })

  function good({ status, stdout, stderr }: Transcript): void {
    assert.equal(status, 0, stdout + stderr)
  }

  /** A host of its own: a folder with settings. @param like a host whose files it gets. */
  function host(like?: string) {
    const folder = join(home.path, `host-${hosts++}`)
    mkdirSync(folder, { mode: 0o700 })
    const path = (name: string): string => join(folder, name)
    const places = [
      'AUDIT_LOG audit.log',
      'CONTROL_SOCKET control.sock',
      'REPLAY_DB replay.db',
      'ACCESS_FILE access.conf',
    ]
    const settings = places.map((line) => `${line.replace(' ', ` ${folder}/`)};\n`).join('')
    if (like === undefined) {
      writeFileSync(path('fwknopd.conf'), `# of the administrator\n${settings}`, { mode: 0o600 })
      writeFileSync(path('access.conf'), 'SOURCE ANY\nKEY one\nHMAC_KEY two\n', { mode: 0o600 })
    } else
      for (const name of readdirSync(like)) {
        cpSync(join(like, name), path(name))
        writeFileSync(path(name), readFileSync(path(name), 'utf8').replaceAll(like, folder))
      }
    const command = (words: readonly string[]) => ['cluster', ...words, '-c', path('fwknopd.conf')]
    return {
      ...{ folder, path },
      text: (name = 'fwknopd.conf'): string => readFileSync(path(name), 'utf8'),
      /** But for locks, and for what every command writes. */
      names: (): readonly string[] =>
        readdirSync(folder)
          .filter((name) => !/^\.fwknopd\.conf\.lock(\.pid)?$|^audit\.log/.test(name))
          .toSorted(),
      run: (words: readonly string[], before: readonly string[] = []): Promise<Transcript> =>
        home.run([...before, ...ghostportCommand, ...command(words)], { timeoutMs: 60_000 }),
      check: () => home.ghostport(['check', '-c', path('fwknopd.conf')]),
    }
  }

  interface Work {
    readonly words: (at: ReturnType<typeof host>) => readonly string[]
    /** The host before it. Absent: one that is in no cluster. */
    readonly like?: () => Promise<string>
    /** Beside the settings, once it is done. */
    readonly makes: readonly string[]
    /** Whether it is in a cluster then. */
    readonly isNode: boolean
    /** What it says where all was done already. Absent: it does it again. */
    readonly wasDone?: RegExp
  }

  const node = ['cluster-ca.pem', 'cluster.password', 'cluster.secret']
  const joined = async (): Promise<string> => {
    const one = host()
    good(await one.run(['join', invitation, '--node', 'web-2']))
    return one.folder
  }
  const works: { readonly [name: string]: Work } = {
    // Each is the first node of a cluster of its own.
    init: { words: (at) => init.with(1, basename(at.folder)), makes: node, isNode: true },
    join: { words: () => ['join', invitation, '--node', 'web-2'], makes: node, isNode: true },
    invite: {
      words: (at) => ['invite', at.path('two.join')],
      ...{ like: joined, makes: [...node, 'two.join'], isNode: true, wasDone: /two\.join: file already exists/ },
    },
    leave: { words: () => ['leave', '--yes'], like: joined, makes: [], isNode: false, wasDone: /is in no cluster/ },
  }
  const isNode = (settings: string): boolean => /^CLUSTER\b/m.test(settings)

  for (const [name, work] of Object.entries(works))
    it(`${name}: killed at each step`, { timeout: 570_000 }, async () => {
      const from = await work.like?.()
      let killed = 0
      for (const step of STEPS)
        for (const nth of some(Array.from({ length: MOST_STEPS }).keys(), 9)) {
          const at = host(from)
          const strace = ['strace', '-f', '-o', '/dev/null', '-e', `trace=${step}`]
          const inject = ['-e', `inject=${step}:signal=KILL:when=${nth + 1}`]
          const first = await at.run(work.words(at), [...strace, ...inject])
          if (first.status === 0) break
          killed++
          const where = `${step} ${nth + 1}: ${first.status} ${first.stderr}`
          // A server that starts now, starts.
          const checked = await at.check()
          assert.equal(checked.status, 0, `${where}\n${checked.stderr}`)
          const again = await at.run(work.words(at))
          if (again.status !== 0) assert.match(again.stderr, work.wasDone ?? /^nothing$/, where)
          assert.equal(isNode(at.text()), work.isNode, where)
          assert.deepEqual(at.names(), ['access.conf', ...work.makes, 'fwknopd.conf'].toSorted(), where)
        }
      assert.ok(killed >= STEPS.length, `${killed}`)
    })

  for (const [name, work] of Object.entries(works))
    it(`${name}: the disk becomes full at each page`, { timeout: 570_000 }, async () => {
      const from = await work.like?.()
      let refusals = 0
      for (const free of some(Array.from({ length: MOST_PAGES }).keys(), 3)) {
        const at = host(from)
        const before = { text: at.text(), names: at.names() }
        const ran = await at.run(work.words(at), onSmallDisk(at.folder, free))
        if (ran.status === 0) break
        refusals++
        const where = `${free} pages: ${ran.stderr}`
        assert.match(ran.stderr, /no space left on device.* \[(CONFIG_UNWRITABLE|AUDIT_FAILED)\]/s, where)
        assert.equal(at.text(), before.text, where)
        // etcd may know the password already. Then it is kept for the next try.
        const kept = name === 'init' ? node : []
        const more = at.names().filter((one) => !before.names.includes(one) && !kept.includes(one))
        assert.deepEqual(more, [], where)
        good(await at.run(work.words(at)))
        assert.equal(isNode(at.text()), work.isNode, where)
      }
      assert.ok(refusals > 0)
    })

  /** Words before a command: `folder` is a disk with so many pages free. What is on it at the end stays. */
  function onSmallDisk(folder: string, free: number): readonly string[] {
    const script = [
      'folder=$0; free=$1; shift',
      'cp -a "$folder" "$folder.before"',
      'mount -t tmpfs -o size=1m,mode=700 none "$folder"',
      'cp -a "$folder.before/." "$folder"',
      'filled=$(( $(df --output=avail -k "$folder" | tail -n 1) - free * 4 ))',
      'head -c "$filled"k /dev/zero > "$folder.fill" && cp "$folder.fill" "$folder/fill"',
      '"$@" && status=0 || status=$?',
      'rm "$folder/fill" "$folder.fill"; cp -a "$folder" "$folder.after"',
      'umount "$folder"; find "$folder" -mindepth 1 -delete; cp -a "$folder.after/." "$folder"',
      'rm -rf "$folder.before" "$folder.after"; exit $status',
    ]
    return ['unshare', '--mount', 'sh', '-c', script.join('\n'), folder, `${free}`]
  }

  it('files of somebody else are refused by name, and nothing is changed', async () => {
    const somebody = 65_534
    const nobodys = async () => host()
    const nodes = async () => host(await joined())
    const { join: joining, invite, leave } = works
    const refusals: readonly [
      name: string,
      work: Work['words'] | undefined,
      before: () => Promise<ReturnType<typeof host>>,
    ][] = [
      ['fwknopd.conf', joining?.words, nobodys],
      ['fwknopd.conf', invite?.words, nodes],
      ['cluster.password', joining?.words, nodes],
      ['cluster.secret', joining?.words, nodes],
      ['cluster.secret', () => init, nodes],
      ['cluster.secret', invite?.words, nodes],
      ['cluster-ca.pem', joining?.words, nodes],
      ['.', joining?.words, nobodys],
      ['.', leave?.words, nodes],
    ]
    for (const [name, words, before] of refusals) {
      const at = await before()
      const [text, names] = [at.text(), at.names()]
      chownSync(at.path(name), somebody, somebody)
      assert.ok(words)
      const ran = await at.run(words(at))
      const where = `${words(at)[0]}, ${name}: ${ran.stdout}${ran.stderr}`
      assert.match(ran.stderr, /\[CONFIG_EXPOSED\]/, where)
      assert.ok(ran.stderr.includes(join(at.folder, name)), where)
      assert.deepEqual([at.text(), at.names()], [text, names], where)
    }
    const strangers = join(home.path, 'strangers.join')
    cpSync(invitation, strangers)
    chownSync(strangers, somebody, somebody)
    const at = host()
    const ran = await at.run(['join', strangers, '--node', 'web-2'])
    assert.match(ran.stderr, /strangers\.join.*\[CONFIG_EXPOSED\]/s)
    assert.equal(isNode(at.text()), false)
  })
})
