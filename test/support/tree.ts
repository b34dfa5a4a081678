/** Trees of files for tests of gpgdir: made, and compared by the hash of each file. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  type Stats,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

export interface Tree {
  readonly path: string
  /** What is at each path below, as latin1: the hash of a file, `→ …` for a link. Folders end in `/`. */
  contents(): Map<string, string>
  names(): readonly string[]
  write(path: string | Buffer, content: string | Uint8Array): void
}

/** An empty folder, removed after the test. */
export function makeTree(t: TestContext, inside = tmpdir()): Tree {
  const path = mkdtempSync(join(inside, 'gpgdir-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return treeAt(path)
}

export function treeAt(path: string): Tree {
  /** A process may make and remove files meanwhile. @param told what is at a path that is there. */
  const visit = (told: (shown: string, at: Buffer, stat: Stats) => void): void => {
    const enter = (folder: Buffer, below: string): void => {
      for (const name of readdirSync(folder, { encoding: 'buffer' })) {
        const at = Buffer.concat([folder, Buffer.from('/'), name])
        const stat = lstatSync(at, { throwIfNoEntry: false })
        if (stat === undefined) continue
        const shown = `${below}${name.toString('latin1')}${stat.isDirectory() ? '/' : ''}`
        told(shown, at, stat)
        if (stat.isDirectory()) enter(at, shown)
      }
    }
    enter(Buffer.from(path), '')
  }
  const contents = (): Map<string, string> => {
    const found = new Map<string, string>()
    visit((shown, at, stat) => {
      if (stat.isDirectory()) found.set(shown, '')
      else if (stat.isSymbolicLink()) found.set(shown, `→ ${readlinkSync(at)}`)
      else found.set(shown, stat.isFile() ? createHash('sha256').update(readFileSync(at)).digest('hex') : 'other')
    })
    return new Map([...found].sort(([one], [other]) => (one < other ? -1 : 1)))
  }
  return {
    path,
    contents,
    names() {
      const found: string[] = []
      visit((shown) => found.push(shown))
      return found.sort()
    },
    write(below, content) {
      const at = Buffer.concat([Buffer.from(`${path}/`), Buffer.from(below)])
      const slash = at.lastIndexOf('/')
      mkdirSync(at.subarray(0, slash), { recursive: true })
      writeFileSync(at, content)
    },
  }
}

/** A file system of its own, of so many kilobytes. Root only. */
export function mountSmall(t: TestContext, kilobytes: number): string {
  const path = mkdtempSync(join(tmpdir(), 'gpgdir-small-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', path])
  t.after(() => {
    execFileSync('umount', [path])
    rmSync(path, { recursive: true })
  })
  return path
}
