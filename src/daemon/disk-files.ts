/**
 * Configuration files from the disk. Whoever can change them can open any door, and whoever can read `access.conf` has the
 * keys, so who else can is part of whether a file can be read at all (docs/OPERATING.md). fwknopd only warns.
 */
import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { textFromBytes } from '../bytes/text.ts'
import type { ConfigFileFailure, ConfigFiles } from '../config/config-files.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { systemPath } from '../system-path.ts'
import { judgeFolder, octal } from './folder-guard.ts'

const OTHERS_WRITE = 0o022
const OTHERS_READ = 0o044

/**
 * @param secret whether the files hold keys, so that nobody else may even read them.
 * @param user the user that the files must belong to, besides root.
 */
export function diskFiles(secret: boolean, user: number): ConfigFiles {
  return {
    read: (path) => readGuarded(path, secret, user),
    list(folder) {
      try {
        const all = readdirSync(systemPath(folder), { encoding: 'buffer' }).map((name) => textFromBytes(name))
        const names = all.filter((name) => name.endsWith('.conf'))
        return ok(names.sort().map((name) => join(folder, name)))
      } catch (error) {
        return refuse('CONFIG_UNREADABLE', `${folder}: ${explain(error)}`)
      }
    },
  }
}

function readGuarded(path: string, secret: boolean, user: number): Result<string, ConfigFileFailure> {
  let descriptor: number | undefined
  try {
    // Without waiting: a named pipe would keep us until somebody writes to it.
    descriptor = openSync(systemPath(path), constants.O_RDONLY | constants.O_NONBLOCK)
    // Asked of what was opened, not of the name: the two may differ a moment later.
    const { uid, mode, isFile } = statOf(descriptor)
    if (!isFile) return refuse('CONFIG_UNREADABLE', `${path} is not a regular file`)
    if (uid !== 0 && uid !== user)
      return refuse('CONFIG_EXPOSED', `${path} belongs to user ${uid}, who could change it`, {
        suggestion: `chown root ${path}`,
      })
    if (mode & OTHERS_WRITE)
      return refuse('CONFIG_EXPOSED', `${path} can be changed by others (mode ${octal(mode)})`, {
        suggestion: `chmod go-w ${path}`,
      })
    if (secret && mode & OTHERS_READ)
      return refuse('CONFIG_EXPOSED', `${path} holds keys and can be read by others (mode ${octal(mode)})`, {
        suggestion: `chmod 600 ${path}`,
      })
    const exposed = judgeFolders(path, user)
    if (exposed !== undefined) return { ok: false, failure: exposed }
    return ok(textFromBytes(readFileSync(descriptor)))
  } catch (error) {
    return refuse('CONFIG_UNREADABLE', `${path}: ${explain(error)}`)
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

function statOf(descriptor: number): { uid: number; mode: number; isFile: boolean } {
  const stat = fstatSync(descriptor)
  return { uid: stat.uid, mode: stat.mode, isFile: stat.isFile() }
}

/** Where the name stands, and, if it is a link, where that leads. */
function judgeFolders(path: string, user: number): Failure<'CONFIG_EXPOSED'> | undefined {
  const folders = new Set([
    dirname(resolve(path)),
    dirname(textFromBytes(realpathSync.native(systemPath(path), 'buffer'))),
  ])
  for (const folder of folders) {
    const exposed = judgeFolder(folder, user)
    if (exposed !== undefined) return exposed
  }
  return undefined
}

function explain(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EACCES') return 'permission denied'
  if (code === 'EISDIR') return 'is a folder'
  return message
}
