/**
 * The one rule about which files may be trusted. It has two parts:
 * - {@link judgeTrail}, the way to the file. A file is only as safe as the folders on the way to it. A user who owns
 *   such a folder, or may write to it, can replace the file, regardless of the file's mode.
 * - {@link judgeStat}, the file itself: who owns it, and who may write to it.
 *
 * Who asks: server-file.ts (files that the server makes; replay/store-path.ts goes through it), user-file.ts (files of
 * the user who knocks; the way only for root), and daemon/warden/config-files-on-disk.ts (`fwknopd.conf`,
 * `access.conf`, and files of `%include_keys`, which may belong to any one user). They say which owners they accept,
 * and which cure a message names. Who may read a file with keys is decided by them.
 *
 * The way is walked from the root down, and each folder is checked before anything in it is looked at. Only its owners
 * can change a folder that passed. So nothing on the way changes between check and use, and no descriptor needs to stay
 * open.
 */
import { lstatSync, readFileSync, readlinkSync, type Stats, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { textFromBytes } from '../bytes/text.ts'
import { type Failure, refuse } from '../result.ts'
import { systemPath } from './system-path.ts'

export type Exposed = Failure<'CONFIG_EXPOSED'>

/** A folder that did not pass. */
export interface FolderAtFault {
  readonly path: string
  readonly owner: number
  /** Whether it holds the file itself, or a link on the way. */
  readonly holds: boolean
  /** What is wrong: its owner, or who may write to it. */
  readonly fault: 'owner' | 'mode'
}

export interface Trust {
  /** The users that may own the folders and links on the way. */
  readonly owners: ReadonlySet<number>
  /**
   * No other user may put a file of any name beside it. In a sticky folder such as /tmp, users cannot replace each
   * other's files, but anybody can make a file first. That is enough for an existing file of ours, and not for one that
   * is still to be made.
   */
  readonly alone?: boolean
  /** The cure for a folder that did not pass. Default: `chmod go-w` or `chown`. */
  readonly cure?: (folder: FolderAtFault) => string
}

const GROUP_WRITES = 0o020
const ALL_WRITE = 0o002
const OTHERS_WRITE = GROUP_WRITES | ALL_WRITE
const STICKY = 0o1000
/** As many as Linux follows. */
const MOST_LINKS = 40

/** Root, and the user of this process. */
export function ourUsers(): ReadonlySet<number> {
  return new Set([0, process.geteuid?.() ?? 0])
}

/**
 * @param path of a file, which need not exist. The missing part of the way is not checked: its maker checks it later.
 * @returns CONFIG_EXPOSED if others may put another file there. A folder far above that its group may write to is the
 * operator's choice (/usr/local, on some systems). One that holds the file, or a link, is refused.
 * @throws the file system's errors.
 */
export function judgeTrail(path: string, trust: Trust): Exposed | undefined {
  return new Walk(trust).to(path, 'file')
}

/** The same for a folder and what is in it. */
export function judgeFolderTrail(folder: string, trust: Trust): Exposed | undefined {
  return new Walk(trust).to(folder, 'folder')
}

/**
 * Checks a file by itself: what users other than its owners can do to it.
 * @param stat of the open file. Of a name, it may be another file's a moment later.
 * @param owners the users that may own it.
 */
export function judgeStat(path: string, { uid, mode }: Stats, owners: ReadonlySet<number>): Exposed | undefined {
  if (!owners.has(uid))
    return refuse('CONFIG_EXPOSED', `${path} belongs to user ${uid}, who could change it`, {
      suggestion: `chown ${ownerName(process.geteuid?.() ?? 0)} ${path}`,
    }).failure
  if ((mode & OTHERS_WRITE) !== 0)
    return refuse('CONFIG_EXPOSED', `${path} can be changed by others (mode ${octal(mode)})`, {
      suggestion: `chmod go-w ${path}`,
    }).failure
  return undefined
}

/**
 * Both checks, for an existing file that this process does not open. Links are followed. A file that is missing has
 * only its way checked.
 * @throws the file system's errors.
 */
export function judgeFile(path: string, trust: Trust): Exposed | undefined {
  const exposed = judgeTrail(path, trust)
  if (exposed !== undefined) return exposed
  const found = statSync(systemPath(path), { throwIfNoEntry: false })
  return found === undefined ? undefined : judgeStat(path, found, trust.owners)
}

/** The permission bits as `chmod` takes them. */
export function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0')
}

/** As `chown` takes it. */
export function ownerName(uid: number): string {
  return uid === 0 ? 'root' : `${uid}`
}

class Walk {
  readonly #trust: Trust
  #links = 0

  constructor(trust: Trust) {
    this.#trust = trust
  }

  to(path: string, end: 'file' | 'folder'): Exposed | undefined {
    let rest = names(path.startsWith('/') ? path : `${process.cwd()}/${path}`)
    let here = '/'
    let stat = look('/')
    for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
      if (name === '..') {
        here = dirname(here)
        stat = look(here)
        continue
      }
      const isEnd = rest.length === 0 && end === 'file'
      const next = here === '/' ? `/${name}` : `${here}/${name}`
      const found = lstatSync(systemPath(next), { throwIfNoEntry: false })
      const isLink = found?.isSymbolicLink() === true
      // Of a folder and a link in it, the message names the link: the user can name another path in its place.
      const exposed =
        (isLink ? this.#judgeLink(next, found) : undefined) ??
        (stat === undefined ? undefined : this.#judgeFolder(here, stat, isEnd || isLink, isEnd))
      if (exposed !== undefined) return exposed
      // The rest does not exist: it is checked once it is made.
      if (found === undefined) return undefined
      const named = found.isFile() && stat !== undefined ? this.#judgeNames(next, found, here, stat) : undefined
      if (named !== undefined) return named
      if (isLink) {
        if (++this.#links > MOST_LINKS) throw new Error('too many links lead to it')
        const target = textFromBytes(readlinkSync(systemPath(next), { encoding: 'buffer' }))
        if (target.startsWith('/')) {
          here = '/'
          stat = look('/')
        }
        rest = [...names(target), ...rest]
      } else if (!isEnd && !found.isDirectory())
        return undefined // The one who opens it is told so.
      else if (!isEnd) {
        here = next
        stat = found
      }
    }
    return end === 'folder' && stat !== undefined ? this.#judgeFolder(here, stat, true, false) : undefined
  }

  #judgeFolder(path: string, { uid, mode }: Stats, holds: boolean, isEnd: boolean): Exposed | undefined {
    const { owners, alone = false, cure } = this.#trust
    const expose = (fault: FolderAtFault['fault'], detail: string, usual: string): Exposed =>
      refuse('CONFIG_EXPOSED', detail, { suggestion: cure?.({ path, owner: uid, holds, fault }) ?? usual }).failure
    if (!owners.has(uid) && (holds || uid !== unmappedOwner()))
      return expose(
        'owner',
        `the folder ${path} belongs to user ${uid}, who could replace what is in it`,
        `chown ${ownerName(Math.min(...owners))} ${path}`,
      )
    if ((mode & (holds ? GROUP_WRITES | ALL_WRITE : ALL_WRITE)) === 0) return undefined
    if ((mode & STICKY) === 0)
      return expose(
        'mode',
        `others can replace what is in the folder ${path} (mode ${octal(mode)})`,
        `chmod go-w ${path}`,
      )
    return alone && isEnd
      ? expose('mode', `others can make files in the folder ${path} (mode ${octal(mode)})`, `chmod go-w ${path}`)
      : undefined
  }

  #judgeLink(path: string, { uid }: Stats): Exposed | undefined {
    if (this.#trust.owners.has(uid)) return undefined
    return refuse('CONFIG_EXPOSED', `the link ${path} belongs to user ${uid}, who could lead it elsewhere`, {
      suggestion: `name the file itself in place of ${path}`,
    }).failure
  }

  /**
   * In a sticky folder, others can make a hard link to a file of ours if the kernel allows it (fs.protected_hardlinks).
   */
  #judgeNames(path: string, { nlink }: Stats, folder: string, { mode }: Stats): Exposed | undefined {
    if (nlink === 1 || (mode & (GROUP_WRITES | ALL_WRITE)) === 0) return undefined
    return refuse(
      'CONFIG_EXPOSED',
      `${path} may be a hard link that another user made to a file elsewhere: others can make files in the folder ${folder} (mode ${octal(mode)})`,
      { suggestion: 'keep the file in a folder that only its owner can write to' },
    ).failure
  }
}

function look(folder: string): Stats | undefined {
  return lstatSync(systemPath(folder), { throwIfNoEntry: false })
}

/**
 * In a user namespace: the user that the system shows as the owner of files of outside users. The root folder then
 * usually belongs to the outside root, and is shown as this user's. Undefined if all users are known.
 */
function unmappedOwner(): number | undefined {
  const [inside, outside, count] = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/).map(Number)
  const knowsAll = inside === 0 && outside === 0 && count === 0xffff_ffff
  return knowsAll ? undefined : Number(readFileSync('/proc/sys/kernel/overflowuid', 'utf8'))
}

function names(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.')
}
