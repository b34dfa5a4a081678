/**
 * The keyrings of the GnuPG process: copies in a folder of its own, in memory (tmpfs) where there is one. gpg writes
 * beside its keys, and a gpg in hostile hands changes only the copy.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { isRunning } from '../../system/is-running.ts'
import type { ToGnupg } from '../link/gnupg-protocol.ts'

/** Folders for such copies, the best first. */
const PLACES = ['/dev/shm', tmpdir()]
const PREFIX = 'ghostport-gnupg-'
/** statfs(2) */
const TMPFS = 0x01021994

export interface PrivateHomes {
  /** The folder that holds all of them. */
  readonly folder: string
  /** By the path of the original. */
  readonly of: ReadonlyMap<string, string>
  remove(): void
}

/** @throws Error of the file system. */
export function makePrivateHomes(keyrings: ToGnupg['keyrings']): PrivateHomes {
  for (const place of PLACES) removeLeftOver(place)
  const folder = makeFolder()
  const of = new Map<string, string>()
  for (const [n, { home, files }] of keyrings.entries()) {
    // Short: the path of the agent's socket has a limit.
    const copy = join(folder, `${n}`)
    mkdirSync(copy, { mode: 0o700 })
    of.set(home, copy)
    for (const { name, contents } of files) {
      mkdirSync(dirname(join(copy, name)), { mode: 0o700, recursive: true })
      writeFileSync(join(copy, name), Buffer.from(contents, 'base64'), { mode: 0o600, flag: 'wx' })
    }
  }
  const remove = (): void => {
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true })
    rmdirSync(folder)
  }
  return { folder, of, remove }
}

function makeFolder(): string {
  const inMemory = PLACES.filter(isInMemory)
  for (const place of [...inMemory, ...PLACES])
    try {
      return mkdtempSync(join(place, `${PREFIX}${process.pid}-`))
    } catch {
      // It is not there, or this user may not write there.
    }
  throw new Error(`a folder for the keyring can be made in none of ${PLACES.join(', ')}`)
}

function isInMemory(place: string): boolean {
  try {
    return statfsSync(place).type === TMPFS
  } catch {
    return false
  }
}

/** What such a process left behind that was killed. */
function removeLeftOver(place: string): void {
  try {
    for (const name of readdirSync(place)) {
      const [, pid] = new RegExp(`^${PREFIX}([0-9]+)-`).exec(name) ?? []
      const path = join(place, name)
      if (pid !== undefined && !isRunning(Number(pid)) && statSync(path).uid === process.getuid?.())
        rmSync(path, { recursive: true, force: true })
    }
  } catch {
    // Somebody else's, or gone meanwhile.
  }
}
