/** The Debian packages, built for a test: mostly packed fast, and otherwise as users get them. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..', '..')

export type PackageName = 'ghostport' | 'ghostport-client'
export type Architecture = 'amd64' | 'arm64'

export interface Wanted {
  readonly packages?: readonly PackageName[]
  readonly architectures?: readonly Architecture[]
  /** Default: the project's. */
  readonly version?: string
  /** Default: fast. */
  readonly packing?: 'small' | 'fast'
  readonly environment?: Readonly<Record<string, string>>
}

/** The processor of this machine, in Debian's words. */
export const OWN_ARCHITECTURE: Architecture = process.arch === 'arm64' ? 'arm64' : 'amd64'

/** Builds them as `npm run deb` does. @param folder for the files. @throws Error with its output. */
export function buildDebianPackages(folder: string, wanted: Wanted = {}): void {
  const { packages = [], architectures = [], version, packing = 'fast', environment = {} } = wanted
  const words = [
    ...packages.flatMap((name) => ['--package', name]),
    ...architectures.flatMap((name) => ['--arch', name]),
    ...(version === undefined ? [] : ['--set-version', version]),
  ]
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, 'scripts/deb.mjs'), ...(packing === 'fast' ? ['--fast'] : []), '--to', folder, ...words],
    { encoding: 'utf8', cwd: root, env: { ...process.env, ...environment } },
  )
  if (status !== 0) throw new Error(`npm run deb ended with ${status}\n${stdout}${stderr}`)
}

const built = new Map<string, string>()
let shared: string | undefined

/** The file of one package for this machine's processor. It is built once for all tests of this process. */
export function debianPackage(name: PackageName, version: string = projectVersion()): string {
  shared ??= temporaryFolder()
  const key = `${name} ${version}`
  const known = built.get(key)
  if (known !== undefined) return known
  buildDebianPackages(shared, { packages: [name], architectures: [OWN_ARCHITECTURE], version })
  const file = join(shared, `${name}_${version}_${OWN_ARCHITECTURE}.deb`)
  built.set(key, file)
  return file
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-packages-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function projectVersion(): string {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version
}

export interface Judgement {
  /** 0: no error and no warning, but for those that are overridden. */
  readonly status: number | null
  readonly output: string
}

/** What lintian says of the files. */
export async function lintian(files: readonly string[]): Promise<Judgement> {
  const words = ['--fail-on', 'error,warning', '--tag-display-limit', '0', '--allow-root', ...files]
  const child = spawn('lintian', words, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk
    })
  const [status] = (await once(child, 'close')) as [number | null]
  return { status, output }
}
