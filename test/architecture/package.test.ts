/**
 * The package as it would be published: what is in it, that it installs without running a script, that its entry points
 * resolve in Node, for the type checker and for a bundler, that its command runs, and that the papers match the code.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, delimiter, dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { failureKinds } from '../../src/failure-codes.ts'

const root = join(import.meta.dirname, '..', '..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const manifest = JSON.parse(read('package.json')) as {
  readonly version: string
  readonly dependencies: Readonly<Record<string, string>>
  readonly files: readonly string[]
  readonly scripts: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>
}

const folder = mkdtempSync(join(tmpdir(), 'ghostport-package-'))
const installed = join(folder, 'node_modules', 'ghostport')
after(() => rmSync(folder, { recursive: true, force: true }))

describe('the package', () => {
  let files: readonly string[] = []

  before(() => {
    const packed = JSON.parse(npm(root, 'pack', '--json', '--ignore-scripts', '--pack-destination', folder)) as Packed
    const report = Object.values(packed)[0]
    assert.ok(report)
    files = report.files.map(({ path }) => path)
    // Unpacked as npm would, with the dependencies that are already here: a test uses no registry.
    mkdirSync(installed, { recursive: true })
    execFileSync('tar', ['-xzf', join(folder, basename(report.filename)), '--strip-components=1', '-C', installed])
    for (const name of [...Object.keys(manifest.dependencies), '@types/node', 'undici-types', '@koromix']) {
      const source = join(root, 'node_modules', name)
      const target = join(folder, 'node_modules', name)
      mkdirSync(dirname(target), { recursive: true })
      if (existsSync(source)) symlinkSync(source, target)
    }
    writeFileSync(join(folder, 'package.json'), '{"type":"module","private":true}')
  })

  it('holds what it promises', () => {
    for (const listed of manifest.files)
      assert.ok(
        files.some((file) => file === listed || file.startsWith(`${listed}/`)),
        `nothing of “${listed}” is in it`,
      )
  })

  it('holds no test, no source and no configuration of ours', () => {
    const strays = files.filter((file) =>
      /\.test\.|(^|\/)(test|src|scripts|bench|toolchain)\/|\.map$|\.ts$(?<!\.d\.ts)/.test(file),
    )
    assert.deepEqual(strays, [])
  })

  it('asks for no script at install time', () => {
    const names = ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish']
    assert.deepEqual(
      names.filter((name) => name in manifest.scripts),
      [],
    )
  })

  it('resolves each entry point in Node', () => {
    for (const entry of entries()) {
      const script = `const m = await import(${JSON.stringify(entry)}); if (Object.keys(m).length === 0) process.exit(9)`
      const ran = node('--input-type=module', '-e', script)
      assert.equal(ran.status, 0, `${entry}: ${ran.stderr}`)
    }
  })

  it('resolves each entry point for the type checker, in the strictest way', () => {
    const lines = entries().map((entry, n) => `export * as entry${n} from '${entry}'`)
    writeFileSync(join(folder, 'consumer.ts'), `${lines.join('\n')}\n`)
    const options = {
      strict: true,
      module: 'nodenext',
      target: 'es2023',
      noEmit: true,
      skipLibCheck: false,
      types: ['node'],
    }
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: { ...options, exactOptionalPropertyTypes: true }, files: ['consumer.ts'] }),
    )
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
    const ran = spawnSync(process.execPath, [tsc, '-p', folder], { cwd: folder, encoding: 'utf8' })
    assert.equal(ran.status, 0, ran.stdout)
  })

  it('runs its command', () => {
    const ran = node(join(installed, 'dist', 'cli', 'ghostport.js'), 'version')
    assert.equal(ran.status, 0, ran.stderr)
    assert.ok(ran.stdout.includes(manifest.version), ran.stdout)
  })

  function node(...args: readonly string[]) {
    return spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
  }
})

describe('the papers', () => {
  it('SECURITY.md supports the version of package.json', () => {
    const [major, minor] = manifest.version.split('.')
    assert.match(read('SECURITY.md'), new RegExp(`^\\| ${major}\\.${minor}\\.x +\\| yes`, 'm'))
  })

  it('CHANGELOG.md has the version of package.json, or what comes next', () => {
    assert.match(read('CHANGELOG.md'), new RegExp(`^## (\\[?${manifest.version}\\]?|Unreleased)`, 'm'))
  })

  it('docs/ERRORS.md explains each failure code, and no other', () => {
    const text = read('docs/ERRORS.md')
    const explained = [...text.matchAll(/^\| `([A-Z][A-Z_]+)`/gm)].map(([, code]) => code)
    assert.deepEqual(explained.toSorted(), Object.keys(failureKinds).toSorted())
    for (const [code, { exit, level }] of Object.entries(failureKinds))
      assert.match(
        text,
        new RegExp(`^\\| \`${code}\` +\\| +${exit} +\\| +${level} +\\|`, 'm'),
        `exit status and level of ${code}`,
      )
  })

  it('the run-time dependencies are those that SECURITY.md names', () => {
    const text = read('SECURITY.md')
    for (const name of Object.keys(manifest.dependencies)) assert.ok(text.includes(name), name)
    assert.equal(Object.keys(manifest.dependencies).length, 4)
  })
})

type Report = { readonly filename: string; readonly files: readonly { readonly path: string }[] }
/** By name in npm 11, by number (a list) in npm 10. */
type Packed = Readonly<Record<string, Report>>

function entries(): readonly string[] {
  return Object.entries(manifest.exports)
    .filter(([, target]) => typeof target !== 'string')
    .map(([path]) => path.replace(/^\./, 'ghostport'))
}

function npm(cwd: string, ...args: readonly string[]): string {
  // The pinned Node.js comes without npm; the machine's own npm runs it.
  const command = process.env['npm_execpath']
  const path = (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((part) => !part.includes('node_modules'))
    .join(delimiter)
  const env = { ...process.env, PATH: path, npm_config_loglevel: 'error' }
  return command === undefined
    ? execFileSync('npm', args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
    : execFileSync(process.execPath, [command, ...args], {
        cwd,
        env,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      })
}
