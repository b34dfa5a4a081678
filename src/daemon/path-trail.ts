/**
 * The way from the root to a file: every folder and every link that says where it leads. Who may change one of them may put
 * another file in its place.
 */
import { lstatSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { textFromBytes } from '../bytes/text.ts'
import { type Failure, refuse } from '../result.ts'
import { systemPath } from '../system-path.ts'
import { octal } from './folder-guard.ts'

const GROUP_WRITES = 0o020
const ALL_WRITE = 0o002
const STICKY = 0o1000
/** As many as Linux follows. */
const MOST_LINKS = 40

/**
 * @param path of a file that is there.
 * @param owners the users that may own what leads to it.
 * @param cure what to do about a folder of another user.
 * @returns CONFIG_EXPOSED where others may lead it elsewhere. A folder far above that its group may write to is the operator's own
 * arrangement (/usr/local, on some systems); one that holds the file, or a link, is not.
 * @throws what the file system throws.
 */
export function judgeTrail(
  path: string,
  owners: ReadonlySet<number>,
  cure: (folder: { readonly path: string; readonly owner: number; readonly holds: boolean }) => string,
): Failure<'CONFIG_EXPOSED'> | undefined {
  const { folders, links } = trailOf(path)
  for (const link of links)
    if (!owners.has(link.owner))
      return refuse(
        'CONFIG_EXPOSED',
        `the link ${link.path} belongs to user ${link.owner}, who could lead it elsewhere`,
        {
          suggestion: `name the file itself in place of ${link.path}`,
        },
      ).failure
  for (const [folder, holds] of folders) {
    const { uid, mode } = statSync(systemPath(folder))
    if (!owners.has(uid) && (holds || uid !== unmappedOwner()))
      return refuse('CONFIG_EXPOSED', `the folder ${folder} belongs to user ${uid}, who could replace what is in it`, {
        suggestion: cure({ path: folder, owner: uid, holds }),
      }).failure
    if ((mode & (holds ? GROUP_WRITES | ALL_WRITE : ALL_WRITE)) !== 0 && (mode & STICKY) === 0)
      return refuse('CONFIG_EXPOSED', `others can replace what is in the folder ${folder} (mode ${octal(mode)})`, {
        suggestion: `chmod go-w ${folder}`,
      }).failure
  }
  return undefined
}

/**
 * In a user namespace, whom the system shows as the owner of what belongs to users outside of it: the root folder is then root's, as a
 * rule, and shown as nobody's. Undefined where all users are known.
 */
function unmappedOwner(): number | undefined {
  const [inside, outside, count] = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/).map(Number)
  const knowsAll = inside === 0 && outside === 0 && count === 0xffff_ffff
  return knowsAll ? undefined : Number(readFileSync('/proc/sys/kernel/overflowuid', 'utf8'))
}

/** As `chown` takes it. */
export function ownerName(uid: number): string {
  return uid === 0 ? 'root' : `${uid}`
}

interface Trail {
  /** Each folder, and whether it holds the file or a link itself. */
  readonly folders: ReadonlyMap<string, boolean>
  readonly links: readonly { readonly path: string; readonly owner: number }[]
}

function trailOf(path: string): Trail {
  const folders = new Map([['/', false]])
  const links: { path: string; owner: number }[] = []
  const start = path.startsWith('/') ? path : `${process.cwd()}/${path}`
  let rest = names(start)
  let here = '/'
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    if (name === '..') {
      here = dirname(here)
      continue
    }
    const next = here === '/' ? `/${name}` : `${here}/${name}`
    const { uid, isLink } = look(next)
    if (isLink) {
      if (links.push({ path: next, owner: uid }) > MOST_LINKS) throw new Error('too many links lead to it')
      folders.set(here, true)
      const target = textFromBytes(readlinkSync(systemPath(next), { encoding: 'buffer' }))
      if (target.startsWith('/')) here = '/'
      rest = [...names(target), ...rest]
    } else if (rest.length > 0) {
      here = next
      folders.set(here, folders.get(here) ?? false)
    } else folders.set(here, true)
  }
  return { folders, links }
}

function look(path: string): { uid: number; isLink: boolean } {
  const stat = lstatSync(systemPath(path))
  return { uid: stat.uid, isLink: stat.isSymbolicLink() }
}

function names(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.')
}
