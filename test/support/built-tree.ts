/** This tree with one built page below `dist/web`, and links to all else: for programs that serve it. */
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** The sources see the page, since Node.js is told not to follow the links. */
export interface BuiltTree extends Disposable {
  /** Node.js and its first words: those of `ghostport` follow. */
  readonly command: readonly string[]
}

/** @param build writes the page into its folder. */
export async function builtTree(
  name: 'ui' | 'console',
  build: (folder: string) => Promise<unknown>,
): Promise<BuiltTree> {
  const folder = mkdtempSync(join(tmpdir(), `ghostport-${name}-tree-`))
  for (const name of ['src', 'node_modules', 'package.json']) symlinkSync(join(root, name), join(folder, name))
  await build(join(folder, 'dist', 'web', name))
  const flags = ['--preserve-symlinks', '--preserve-symlinks-main', '--conditions=ghostport-source']
  return {
    command: [process.execPath, ...flags, join(folder, 'src', 'cli', 'ghostport.ts')],
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}
