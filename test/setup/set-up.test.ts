/** The set-up scripts. They run before there is a type checker, on the Node.js of the machine. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import { install, isInstalled, requirePlatformPackage } from '../../scripts/setup/npm.mjs'
import { strangersCode } from '../../scripts/setup/whose-code.mjs'

const scripts = join(import.meta.dirname, '..', '..', 'scripts', 'setup')
const script = (name: string) => pathToFileURL(join(scripts, name)).href

const temporary = mkdtempSync(join(tmpdir(), 'ghostport-set-up-'))
after(() => rmSync(temporary, { recursive: true, force: true }))

describe('npm packages are installed', () => {
  const wanted = {
    '': { name: 'x' },
    'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
    'node_modules/other-system': { version: '1.0.0', integrity: 'sha512-b', optional: true },
  }
  const a = wanted['node_modules/a']
  // what exists → whether the lockfile asks for that
  const cases: readonly (readonly [string, Record<string, object> | undefined, boolean])[] = [
    ['as the lockfile says', { 'node_modules/a': a }, true],
    [
      'with an optional one',
      { 'node_modules/a': a, 'node_modules/other-system': wanted['node_modules/other-system'] },
      true,
    ],
    ['not at all, or cut short', undefined, false],
    ['but not this one', {}, false],
    ['in another version', { 'node_modules/a': { ...a, version: '1.0.1' } }, false],
    ['with other contents', { 'node_modules/a': { ...a, integrity: 'sha512-c' } }, false],
    ['and one too many', { 'node_modules/a': a, 'node_modules/b': a }, false],
  ]
  for (const [what, found, expected] of cases)
    it(`${what}: ${expected}`, () => {
      const folder = mkdtempSync(join(temporary, 'npm-'))
      writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ packages: wanted }))
      mkdirSync(join(folder, 'node_modules'))
      if (found !== undefined)
        writeFileSync(join(folder, 'node_modules', '.package-lock.json'), JSON.stringify({ packages: found }))
      assert.equal(isInstalled(folder), expected)
    })

  it('never through a link, which would empty another clone', async () => {
    const folder = mkdtempSync(join(temporary, 'npm-'))
    const other = mkdtempSync(join(temporary, 'other-'))
    writeFileSync(join(other, 'precious'), '')
    symlinkSync(other, join(folder, 'node_modules'))
    await assert.rejects(install(folder), /is a link/)
    assert.equal(readFileSync(join(other, 'precious'), 'utf8'), '')
  })
})

describe('root is warned of a clone that another user can change', () => {
  const folder = join(temporary, 'above', 'clone')
  mkdirSync(folder, { recursive: true })
  const mine = statSync(folder).uid
  it('and nobody else is', () => assert.equal(strangersCode(folder, { uid: 1000 }), undefined))
  it('of their own, or of all users', () => {
    chmodSync(join(temporary, 'above'), 0o777)
    const said = strangersCode(folder, { uid: 0, sudoer: mine })
    assert.match(said ?? '', /^every user of this machine can change \S+above, and so what runs here as root/)
    chmodSync(join(temporary, 'above'), 0o755)
    assert.equal(strangersCode(folder, { uid: 0, sudoer: mine }), undefined)
  })
  it('of one user', (t) => {
    if (process.getuid?.() === 0) chownSync(folder, 60_999, 60_999)
    t.after(() => process.getuid?.() === 0 && chownSync(folder, 0, 0))
    assert.match(strangersCode(folder, { uid: 0 }) ?? '', /^user [0-9]+ of this machine can change \S+clone,/)
    assert.equal(strangersCode(folder, { uid: 0, sudoer: statSync(folder).uid }), undefined)
  })
})

it('a package for this kind of machine that npm left out in silence is named', () => {
  const folder = mkdtempSync(join(temporary, 'npm-'))
  mkdirSync(join(folder, 'node_modules', '@esbuild', 'linux-x64'), { recursive: true })
  requirePlatformPackage('@esbuild/linux-x64', folder)
  assert.throws(
    () => requirePlatformPackage('@esbuild/linux-arm64', folder),
    /^Error: npm did not install @esbuild\/linux-arm64: .* npm ci --ignore-scripts$/,
  )
})

describe('the lock', () => {
  it('lets one in at a time', async () => {
    const folder = mkdtempSync(join(temporary, 'lock-'))
    const holders = [1, 2, 3].map(() => holdLock(folder, 'await new Promise((done) => setTimeout(done, 60))'))
    const ends = await Promise.all(holders.map((holder) => once(holder, 'close')))
    assert.deepEqual(ends, [
      [0, null],
      [0, null],
      [0, null],
    ])
    const log = readFileSync(join(folder, 'log'), 'utf8')
    assert.equal(log, 'in\nout\nin\nout\nin\nout\n')
  })

  it('is free again when its holder is killed', async () => {
    const folder = mkdtempSync(join(temporary, 'lock-'))
    const holder = holdLock(
      folder,
      "process.stdout.write('held'); await new Promise((done) => setTimeout(done, 60_000))",
    )
    assert.ok(holder.stdout)
    await once(holder.stdout, 'data')
    holder.kill('SIGKILL')
    const next = holdLock(folder, '')
    assert.deepEqual(await once(next, 'close'), [0, null])
    assert.equal(readFileSync(join(folder, 'log'), 'utf8'), 'in\nin\nout\n')
  })

  it('is given back when what it is held for fails', async () => {
    const folder = mkdtempSync(join(temporary, 'lock-'))
    assert.deepEqual(await once(holdLock(folder, 'throw new Error()'), 'close'), [1, null])
    assert.deepEqual(await once(holdLock(folder, ''), 'close'), [0, null])
  })
})

/** A process that locks a folder, writes `in` to its log, does `task`, and writes `out`. */
function holdLock(folder: string, task: string): ChildProcess {
  const program = `
    import { appendFileSync } from 'node:fs'
    import { withLock } from ${JSON.stringify(script('lock.mjs'))}
    const log = ${JSON.stringify(join(folder, 'log'))}
    await withLock(${JSON.stringify(join(folder, 'lock'))}, async () => {
      appendFileSync(log, 'in\\n')
      ${task}
      appendFileSync(log, 'out\\n')
    })`
  return spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'ignore'] })
}
