/**
 * This tree and the Node that runs it, copied to a place that other users can read, or cannot, as the test needs. The
 * checkout may be in either kind of place, and the tests pass in both.
 */
import { chmodSync, cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Identity } from '../../src/system/become.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** What programs need that run from the source. */
const PARTS = [
  'package.json',
  'src',
  'test/support',
  'node_modules/koffi',
  'node_modules/@koromix',
  'node_modules/@noble',
]

export interface Tree extends Disposable {
  readonly root: string
  readonly node: string
}

/** @param mode of the folder around it: 0o755 for all, 0o700 for its owner. */
export function copyTree(mode: 0o755 | 0o700): Tree {
  const copy = mkdtempSync(join(tmpdir(), 'ghostport-tree-'))
  mkdirSync(join(copy, 'bin'))
  const node = join(copy, 'bin/node')
  cpSync(realpathSync(process.execPath), node)
  for (const part of PARTS) cpSync(realpathSync(join(root, part)), join(copy, part), { recursive: true })
  chmodSync(copy, mode)
  return { root: copy, node, [Symbol.dispose]: () => rmSync(copy, { recursive: true, force: true }) }
}

/** This tree if the user can read it, else a copy that every user can. */
export function treeFor(user: Identity): Tree {
  const here = { root, node: process.execPath, [Symbol.dispose]: () => {} }
  const needed = [
    process.execPath,
    join(root, 'src/index.ts'),
    realpathSync(join(root, 'node_modules/koffi/package.json')),
  ]
  return needed.every((file) => canRead(user, file)) ? here : copyTree(0o755)
}

/** Whether a user without capabilities can read a file: by the modes of the file and of every folder above it. */
function canRead({ uid, gid }: Identity, file: string): boolean {
  const may = (path: string, bit: 4 | 1): boolean => {
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat === undefined) return false
    const shift = stat.uid === uid ? 6 : stat.gid === gid ? 3 : 0
    return ((stat.mode >> shift) & bit) !== 0
  }
  if (!may(file, 4)) return false
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    if (!may(folder, 1)) return false
    if (folder === dirname(folder)) return true
  }
}
