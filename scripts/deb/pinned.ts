/**
 * The npm packages that go into the Debian packages, for the processor of the package and not that of this machine.
 * They are those of the lockfiles: fetched by name and version, and compared with the hash there.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { clone, memory } from '../setup/clone.mjs'
import { npmCommand } from '../setup/npm.mjs'

const run = promisify(execFile)

export interface Pinned {
  readonly name: string
  readonly version: string
  /** As the lockfile writes it: `sha512-` and base64. */
  readonly integrity: string
  /** Its files. They are shared by all builds: nobody writes here. */
  readonly folder: string
}

/**
 * @param lockfile of the repository: `package-lock.json` or `toolchain/package-lock.json`.
 * @throws Error if the lockfile does not pin it, if it cannot be fetched, or if it has another hash.
 */
export async function pinnedPackage(lockfile: string, name: string): Promise<Pinned> {
  const { version, integrity } = lockedEntry(lockfile, name)
  const cache = join(memory, 'pinned')
  const folder = join(cache, `${name.replace('/', '+')}-${version}`)
  if (existsSync(folder)) return { name, version, integrity, folder }
  mkdirSync(cache, { recursive: true })
  const making = mkdtempSync(join(cache, 'making-'))
  try {
    const [program, ...words] = npmCommand()
    const { stdout } = await run(
      program,
      [...words, 'pack', '--silent', '--prefer-offline', '--pack-destination', making, `${name}@${version}`],
      { cwd: making },
    )
    const archive = join(making, stdout.trim().split('\n').at(-1) ?? '')
    const [algorithm = '', expected] = integrity.split(/-(.*)/s)
    const found = createHash(algorithm).update(readFileSync(archive)).digest('base64')
    if (found !== expected) throw new Error(`${name}@${version} has the hash ${algorithm}-${found}, not ${integrity}`)
    await run('tar', ['-xzf', archive, '--no-same-owner', '-C', making])
    try {
      renameSync(join(making, 'package'), folder)
    } catch (error) {
      // Another build made it meanwhile.
      if (!existsSync(folder)) throw error
    }
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
  return { name, version, integrity, folder }
}

function lockedEntry(lockfile: string, name: string): { readonly version: string; readonly integrity: string } {
  const { packages } = JSON.parse(readFileSync(join(clone, lockfile), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly version?: string; readonly integrity?: string }>>
  }
  const { version, integrity } = packages[`node_modules/${name}`] ?? {}
  if (version === undefined || integrity === undefined) throw new Error(`${lockfile} does not pin ${name}`)
  return { version, integrity }
}
