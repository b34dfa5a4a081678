/**
 * The set-up on a machine like Debian 12, whose npm makes no link for an optional package; and what a failed set-up
 * leaves behind. `npm run npm-versions` tries all commands with all versions.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { binFolder, cloneTo, environmentWith, npm } from '../../scripts/npm-versions/clean-clone.ts'
import { fetchPrograms, machines } from '../../scripts/npm-versions/packages.ts'

const [oldest] = machines
const folder = mkdtempSync(join(tmpdir(), 'ghostport-npm-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const programs = fetchPrograms(oldest, folder)
const bin = binFolder(folder, programs)

const freshClone = (name: string): string => {
  const clone = join(folder, name)
  cloneTo(clone)
  return clone
}

it(`Node.js ${oldest.node} and npm ${oldest.npm} set a clone up and build it`, async () => {
  const clone = freshClone('built')
  const { status, text } = await npm(clone, bin, ['run', 'build'])
  assert.equal(status, 0, text)
  assert.ok(existsSync(join(clone, 'dist', 'cli', 'ghostport.js')))
  const again = await npm(clone, bin, ['run', 'build'])
  assert.equal(again.status, 0, again.text)
  assert.doesNotMatch(again.text, /added \d+ package/, 'a second set-up installs nothing')
})

describe('a set-up that cannot succeed says so, and installs nothing', () => {
  // A package of Debian's that no test needs, so that it must be installed.
  const PACKAGE = 'hello'
  const cases: readonly {
    readonly what: string
    readonly prepare: (clone: string) => NodeJS.ProcessEnv
    says: RegExp
  }[] = [
    {
      what: 'no Node.js is new enough, and none is pinned',
      prepare: (clone) => {
        const lock = join(clone, 'toolchain', 'package-lock.json')
        writeFileSync(lock, readFileSync(lock, 'utf8').replaceAll('node_modules/node-linux-', 'node_modules/other-'))
        return environmentWith(bin)
      },
      says: /Node\.js 18\.20\.4 is too old, and none is pinned for linux-/,
    },
    {
      what: 'there is no npm',
      prepare: () => {
        const bare = join(folder, 'no-npm')
        mkdirSync(bare)
        symlinkSync(programs.node, join(bare, 'node'))
        for (const tool of ['dpkg-query', 'sh', 'flock', 'cat']) symlinkSync(`/usr/bin/${tool}`, join(bare, tool))
        return { ...environmentWith(bin), PATH: bare }
      },
      says: /there is no npm/,
    },
    {
      what: 'node_modules is a link to another clone’s',
      prepare: (clone) => {
        const other = join(folder, 'other')
        mkdirSync(other)
        symlinkSync(other, join(clone, 'node_modules'))
        return environmentWith(bin)
      },
      says: /node_modules is a link and does not match package-lock\.json/,
    },
  ]
  for (const { what, prepare, says } of cases)
    it(what, () => {
      const clone = freshClone(what.replaceAll(/\W+/g, '-'))
      const { status, output } = setUp(clone, [PACKAGE], prepare(clone))
      assert.notEqual(status, 0, output)
      assert.match(output, says)
      assert.match(output, /nothing was installed/)
      assertUntouched(clone)
      assert.doesNotMatch(output, /^apt-get|Setting up/m)
    })

  it('Debian has no such package', { skip: process.getuid?.() !== 0 && 'only root installs packages' }, () => {
    const clone = freshClone('no-package')
    const { status, output } = setUp(clone, ['ghostport-has-no-such-package'], environmentWith(bin))
    assert.notEqual(status, 0, output)
    assert.match(output, /apt-get cannot install ghostport-has-no-such-package:\n.*Unable to locate package/s)
    assert.match(output, /nothing was installed/)
    assertUntouched(clone)
  })
})

function setUp(clone: string, packages: readonly string[], env: NodeJS.ProcessEnv) {
  const program = `
    import { setUp } from ${JSON.stringify(join(clone, 'scripts', 'setup', 'set-up.mjs'))}
    import { reportAndExit } from ${JSON.stringify(join(clone, 'scripts', 'setup', 'terminal.mjs'))}
    await setUp({ packages: ${JSON.stringify(packages)} }).catch(reportAndExit)`
  const ran = spawnSync(programs.node, ['--input-type=module', '-e', program], { cwd: clone, env, encoding: 'utf8' })
  return { status: ran.status, output: ran.stdout + ran.stderr }
}

function assertUntouched(clone: string): void {
  for (const made of ['node_modules/koffi', 'toolchain/node_modules', 'dist'])
    assert.ok(!existsSync(join(clone, made)), `${made} is there`)
}
