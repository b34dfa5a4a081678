/**
 * `npm run deb`: builds the Debian packages, and writes what they were built from beside them. The same commit and the
 * same tools make the same bytes: docs/PACKAGES.md.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { clone } from '../setup/clone.mjs'
import { type Built, buildPackage } from './build.ts'
import { kinds, processors } from './kinds.ts'

const USAGE = `npm run deb -- [--arch amd64|arm64]… [--package ghostport|ghostport-client]… [--to FOLDER]
               [--set-version VERSION] [--fast]

Builds the Debian packages, all of them by default, into deb/.
--fast packs in two seconds and not in thirty, for tests: the packages are half as large again.`

const say = (line: string) => process.stdout.write(`${line}\n`)

try {
  await main()
} catch (error) {
  say(`npm run deb: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      arch: { type: 'string', multiple: true },
      package: { type: 'string', multiple: true },
      to: { type: 'string', default: join(clone, 'deb') },
      'set-version': { type: 'string' },
      fast: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) {
    say(USAGE)
    return
  }
  const chosen = chosenOf(processors, values.arch, ({ debian }) => debian)
  const packages = chosenOf(kinds, values.package, ({ name }) => name)
  requireTools(['dpkg-deb', ...chosen.map(({ strip }) => strip.program)])
  const version = values['set-version'] ?? JSON.parse(readFileSync(join(clone, 'package.json'), 'utf8')).version
  if (!/^[0-9][\w.+~]*$/.test(version)) throw new Error(`“${version}” is no version of a Debian package`)
  const epoch = sourceDate()
  const built: Built[] = []
  for (const kind of packages)
    for (const processor of chosen) {
      const one = await buildPackage({ kind, processor, version, epoch }, values.to, values.fast ? 'fast' : 'small')
      say(`${one.sha256}  ${one.file}  ${(one.bytes / 1e6).toFixed(1)} MB`)
      built.push(one)
    }
  mkdirSync(values.to, { recursive: true })
  writeFileSync(join(values.to, 'build-record.txt'), record(epoch, built))
}

function chosenOf<T>(
  all: readonly T[],
  names: readonly string[] | undefined,
  nameOf: (one: T) => string,
): readonly T[] {
  for (const name of names ?? [])
    if (!all.some((one) => nameOf(one) === name))
      throw new Error(`there is no “${name}”: choose from ${all.map(nameOf).join(', ')}`)
  return all.filter((one) => names === undefined || names.includes(nameOf(one)))
}

/** SOURCE_DATE_EPOCH, or the time of the last commit. */
function sourceDate(): number {
  const given = process.env['SOURCE_DATE_EPOCH']
  if (given !== undefined && /^[0-9]{1,12}$/.test(given)) return Number(given)
  const git = spawnSync('git', ['log', '-1', '--format=%ct'], { cwd: clone, encoding: 'utf8' })
  if (git.status === 0) return Number(git.stdout.trim())
  throw new Error(
    'this is no clone of git, so the time of the files is not known: set SOURCE_DATE_EPOCH (Unix seconds)',
  )
}

const PACKAGE_OF: Readonly<Record<string, string>> = {
  'dpkg-deb': 'dpkg',
  ...Object.fromEntries(processors.map(({ strip }) => [strip.program, strip.from])),
}

function requireTools(programs: readonly string[]): void {
  const missing = programs.filter((program) => spawnSync(program, ['--version']).error !== undefined)
  if (missing.length === 0) return
  const names = missing.map((program) => PACKAGE_OF[program])
  throw new Error(`${missing.join(', ')} not found: apt-get install ${names.join(' ')}`)
}

/** What somebody needs to build the same bytes. */
function record(epoch: number, built: readonly Built[]): string {
  const tools = ['dpkg-deb', ...processors.map(({ strip }) => strip.program)].flatMap((program) => {
    const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } })
    return typeof stdout === 'string' ? [`${program}: ${stdout.split('\n')[0]}`] : []
  })
  const commit = spawnSync('git', ['describe', '--always', '--dirty', '--abbrev=40'], { cwd: clone, encoding: 'utf8' })
  const npm = execFileSync(process.execPath, ['--version'], { encoding: 'utf8' }).trim()
  return [
    `commit: ${commit.stdout?.trim() || 'unknown'}`,
    `SOURCE_DATE_EPOCH: ${epoch}`,
    `compiled with: Node.js ${npm}`,
    ...tools,
    ...new Set(built.flatMap(({ origins }) => origins.map(({ what, sha256 }) => `${sha256}  ${what}`))),
    ...built.map(({ file, sha256 }) => `${sha256}  ${file.split('/').at(-1)}`),
    '',
  ].join('\n')
}
