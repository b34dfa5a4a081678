/** What of a tree does not come from its contents: modes, times, the size. */
import { createHash } from 'node:crypto'
import { chmodSync, lstatSync, lutimesSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface Entry {
  /** From the root of the tree. */
  readonly path: string
  readonly kind: 'file' | 'folder' | 'link'
  readonly size: number
}

/** All below `root` without `DEBIAN`, in the order of their names. */
export function entriesOf(root: string, path = ''): readonly Entry[] {
  return readdirSync(join(root, path))
    .sort()
    .flatMap((name): readonly Entry[] => {
      const inner = path === '' ? name : `${path}/${name}`
      if (inner === 'DEBIAN') return []
      const facts = lstatSync(join(root, inner))
      if (facts.isDirectory()) return [{ path: inner, kind: 'folder', size: 0 }, ...entriesOf(root, inner)]
      return [{ path: inner, kind: facts.isSymbolicLink() ? 'link' : 'file', size: facts.size }]
    })
}

/** Files and folders get the mode 0755 or 0644. The umask does not count. All get the same time. */
export function normalise(root: string, epoch: number): void {
  const touch = (path: string) => lutimesSync(path, epoch, epoch)
  for (const { path, kind } of [...entriesOf(root), ...control(root)].reverse()) {
    const full = join(root, path)
    if (kind !== 'link') chmodSync(full, kind === 'folder' || (lstatSync(full).mode & 0o100) !== 0 ? 0o755 : 0o644)
    touch(full)
  }
  chmodSync(root, 0o755)
  touch(root)
}

function control(root: string): readonly Entry[] {
  const names = readdirSync(join(root, 'DEBIAN')).sort()
  const files = names.map((name): Entry => ({ path: `DEBIAN/${name}`, kind: 'file', size: 0 }))
  return [{ path: 'DEBIAN', kind: 'folder', size: 0 }, ...files]
}

/** In KiB, as dpkg-gencontrol counts: files in whole KiB, and one for anything else. */
export function installedSize(root: string): number {
  return entriesOf(root).reduce((sum, { kind, size }) => sum + (kind === 'file' ? Math.ceil(size / 1024) : 1), 0)
}

/** The control file `md5sums`: dpkg --verify reads it. */
export function md5sums(root: string): string {
  return entriesOf(root)
    .filter(({ kind }) => kind === 'file')
    .map(
      ({ path }) =>
        `${createHash('md5')
          .update(readFileSync(join(root, path)))
          .digest('hex')}  ${path}\n`,
    )
    .join('')
}
