/** The package as it is built, in a folder of the test: tests run what users run. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const root = join(import.meta.dirname, '..', '..')

export interface CompiledPackage extends Disposable {
  readonly folder: string
  /** Node and the file of the command. */
  readonly command: readonly [node: string, program: string]
}

/** Builds it again: dist/ may be older than the source. */
export function compilePackage(): CompiledPackage {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-compiled-'))
  const build = pathToFileURL(join(root, 'scripts', 'setup', 'build.mjs')).href
  const script = `const { compile } = await import(${JSON.stringify(build)})
    await compile(process.execPath, ${JSON.stringify(join(folder, 'dist'))})`
  execFileSync(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'ignore', 'inherit'] })
  cpSync(join(root, 'package.json'), join(folder, 'package.json'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  return {
    folder,
    command: [process.execPath, join(folder, 'dist', 'cli', 'ghostport.js')],
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}
