/** What the command says if the system is unusual: no home, no user, no room; and if it has a defect of its own. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, cpSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ghostportCommand, Home } from './ghostport.ts'

const home = new Home()
after(() => home[Symbol.dispose]())
const [node = '', ...script] = ghostportCommand
const KNOCK = ['knock', '-D', '127.0.0.1', '-A', 'tcp/22', '-s', '-T', '--key-rijndael', 'a', '--key-hmac', 'b']

interface Circumstances {
  readonly env?: Record<string, string>
  /** JavaScript that runs first in the same process. */
  readonly first?: string
  readonly cwd?: string
  readonly stdout?: number
}

function run(argv: readonly string[], { env = {}, first, cwd = home.path, stdout }: Circumstances = {}) {
  const before = first === undefined ? [] : ['--import', `data:text/javascript,${encodeURIComponent(first)}`]
  return spawnSync(node, [...before, ...script, ...argv], {
    encoding: 'utf8',
    cwd,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', stdout ?? 'pipe', 'pipe'],
    timeout: 120_000,
  })
}

/** Asserts that an error was reported in one line, and never as a stack trace. */
function assertOneLine(stderr: string): void {
  assert.match(stderr, /^ghostport: [^\n]*\[[A-Z_]+\]\n$/)
}

describe('a user without a home', () => {
  const unknownUser = `process.setgroups([]); process.setgid(54321); process.setuid(54321)`

  it('knocks, under a uid that the system does not know', () => {
    // The repository may be in a place that other users cannot read: the tree is copied to one that they can.
    const tree = join(home.path, 'tree')
    const root = fileURLToPath(new URL('../..', import.meta.url))
    for (const part of ['src', 'package.json']) cpSync(join(root, part), join(tree, part), { recursive: true })
    spawnSync('chmod', ['-R', 'a+rX', home.path])
    const copied = script.map((word) => (word.endsWith('ghostport.ts') ? join(tree, 'src/cli/ghostport.ts') : word))
    const first = `data:text/javascript,${encodeURIComponent(unknownUser)}`
    for (const [argv, status, stderr] of [
      [KNOCK, 0, /^$/],
      [['knock', '-n', 'door'], 78, /no rc file to read \[door\] from: HOME names no folder.* uid 54321/],
    ] as const) {
      const told = spawnSync(node, ['--import', first, ...copied, ...argv], {
        encoding: 'utf8',
        cwd: '/',
        env: { PATH: process.env['PATH'] },
      })
      assert.match(told.stderr, stderr)
      assert.equal(told.status, status)
    }
  })
  for (const HOME of ['', 'relative', '/dev/null', '/nonexistent'])
    it(`knocks with HOME=${HOME}, and reads no file of the working directory`, () => {
      home.write('.fwknoprc', '[default]\nACCES broken\n')
      const folder = join(home.path, 'relative')
      mkdirSync(folder, { recursive: true })
      home.write('relative/.fwknoprc', '[default]\nACCES broken\n')
      // If HOME is not a path, the home of the user database counts. The user who runs these tests may have an rc file
      // there.
      const first = `import os from 'node:os'; import { syncBuiltinESMExports } from 'node:module'
        os.userInfo = () => { throw new Error('no user') }; syncBuiltinESMExports()`
      const { status, stderr } = run(KNOCK, { env: { HOME }, first })
      assert.deepEqual([status, stderr], [0, ''])
    })
  it('is told which file an rc file is, where it may not be read', () => {
    mkdirSync(join(home.path, 'odd', '.fwknoprc'), { recursive: true })
    const { status, stderr } = run(KNOCK, { env: { HOME: join(home.path, 'odd') } })
    assert.match(stderr, /odd\/\.fwknoprc is not a regular file — perhaps: --rc-file FILE, or --no-rc-file/)
    assert.equal(status, 66)
  })
  it('says that a relative path leads nowhere, from a folder that was removed', () => {
    const inside = 'mkdir "$0" && cd "$0" && rmdir "$0" && exec "$@"'
    const words = ['serve', '--exit-parse-config', '-c', 'x.conf']
    const argv = ['-c', inside, join(home.path, 'gone too'), node, ...script, ...words]
    const { status, stderr } = spawnSync('sh', argv, { encoding: 'utf8', timeout: 120_000 })
    assertOneLine(stderr)
    assert.match(stderr, /x\.conf is relative, but the working directory no longer exists.*\[CONFIG_UNREADABLE\]/)
    assert.equal(status, 66)
  })

  it('knocks from a folder that was removed', () => {
    const gone = join(home.path, 'gone')
    mkdirSync(gone)
    const first = `import { rmdirSync } from 'node:fs'; rmdirSync(${JSON.stringify(gone)})`
    assert.equal(run([...KNOCK, '--no-rc-file'], { cwd: gone, first }).status, 0)
  })
})

describe('output that cannot be written', () => {
  for (const argv of [['keygen'], ['version'], ['help'], [...KNOCK, '--no-rc-file']])
    it(`${argv[0]} says so, and fails`, () => {
      const full = openSync('/dev/full', 'w')
      const { status, stderr } = run(argv, { stdout: full })
      closeSync(full)
      assertOneLine(stderr)
      assert.match(stderr, /part of the text was not written to standard output \(ENOSPC\) \[OUTPUT_FAILED\]/)
      assert.equal(status, 74)
    })
})

describe('a defect', () => {
  const breaking = (body: string): string =>
    `import crypto from 'node:crypto'; import { syncBuiltinESMExports } from 'node:module'
     const make = crypto.randomBytes; crypto.randomBytes = (n) => { ${body}; return make(n) }; syncBuiltinESMExports()`
  const defects: [string, string][] = [
    ['an error thrown', 'throw new TypeError("boom\\nsecond line")'],
    ['an error thrown later', 'setImmediate(() => { throw new TypeError("boom") })'],
    ['a promise that fails', 'Promise.reject(new TypeError("boom"))'],
  ]
  for (const [what, body] of defects) {
    it(`${what} is told in one sentence`, () => {
      const { status, stderr } = run([...KNOCK, '--no-rc-file'], { first: breaking(body) })
      assertOneLine(stderr)
      assert.match(stderr, /^ghostport: ghostport itself failed: TypeError: boom/)
      assert.equal(status, 70)
    })
    it(`${what} is told as JSON too`, () => {
      const { status, stdout } = run([...KNOCK, '--no-rc-file', '--json'], { first: breaking(body) })
      const { ok, error } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
      assert.deepEqual([ok, error.code, error.exit, status], [false, 'INTERNAL_ERROR', 70, 70])
    })
  }
  it('no value is quoted, since it may be a key', () => {
    const first = breaking('Buffer.alloc("hunter2")')
    const { status, stderr } = run(['keygen'], { first })
    assertOneLine(stderr)
    assert.doesNotMatch(stderr, /hunter2/)
    assert.equal(status, 70)
  })
})

it('a failure is told as JSON by each command that has --json', () => {
  for (const argv of [
    ['knock', '--frob'],
    ['keygen', '--key-len', '99'],
    ['status', '--socket', join(home.path, 'nowhere')],
    ['version', '--frob'],
  ]) {
    const { stdout, stderr } = run([...argv, '--json'])
    assertOneLine(stderr)
    const said = JSON.parse(stdout)
    assert.equal(said.ok, false, argv.join(' '))
    assert.ok(stderr.includes(`[${said.error.code}]`))
  }
})
