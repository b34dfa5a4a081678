/** A clean clone of this tree, and the README's commands in it, run with another machine's Node.js. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Programs } from './packages.ts'

const root = join(import.meta.dirname, '..', '..')

/** Clones this tree to `target`, including changes that are not committed. Nothing is installed or built in it. */
export function cloneTo(target: string): void {
  git(dirname(root), 'clone', '--quiet', root, target)
  const changed = git(root, 'diff', '--name-only', '-z', 'HEAD')
  const added = git(root, 'ls-files', '--others', '--exclude-standard', '-z')
  for (const file of `${changed}${added}`.split('\0').filter((name) => name !== '')) {
    rmSync(join(target, file), { force: true })
    if (!existsSync(join(root, file))) continue
    mkdirSync(dirname(join(target, file)), { recursive: true })
    cpSync(join(root, file), join(target, file))
  }
}

function git(cwd: string, ...args: string[]): string {
  // The tree may belong to another user than the one who runs this.
  const words = ['-c', `safe.directory=${root}`, '-c', `safe.directory=${join(root, '.git')}`, ...args]
  const { status, stdout, stderr } = spawnSync('git', words, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`)
  return stdout
}

/** A folder for the PATH with these `node` and `npm` in it, like a global installation. */
export function binFolder(folder: string, { node, npmCli }: Programs): string {
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  symlinkSync(node, join(bin, 'node'))
  symlinkSync(npmCli, join(bin, 'npm'))
  return bin
}

/** An environment in which `bin` comes first, without the variables of the npm that may run this. */
export function environmentWith(bin: string): NodeJS.ProcessEnv {
  const own = /^(npm_(execpath|node_execpath|command|lifecycle_.*|package_.*)|NODE|INIT_CWD|GHOSTPORT_.*)$/
  const kept = Object.entries(process.env).filter(([name]) => !own.test(name))
  return { ...Object.fromEntries(kept), PATH: `${bin}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin` }
}

/**
 * Runs `npm WORDS` in the clone. `tell` gets the output as it comes. @returns its exit status and all that it printed.
 */
export async function npm(
  clone: string,
  bin: string,
  words: readonly string[],
  tell: (text: string) => void = () => {},
): Promise<{ readonly status: number | null; readonly text: string }> {
  const child = spawn(join(bin, 'node'), [join(bin, 'npm'), ...words], {
    cwd: clone,
    env: environmentWith(bin),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      tell(chunk)
    })
  const [status] = (await once(child, 'close')) as [number | null]
  return { status, text }
}
