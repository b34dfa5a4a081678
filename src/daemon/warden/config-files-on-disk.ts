/**
 * Reads configuration files from disk, and decides whether each can be trusted (by the rule of system/file-trust.ts).
 * A user who can change them can open any door, and a user who can read `access.conf` has the keys. So a file that
 * other users can change or read is refused (docs/OPERATING.md). fwknopd only warns.
 */
import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { textFromBytes } from '../../bytes/text.ts'
import { holdsKeys } from '../../config/access/access-setting-names.ts'
import type { ConfigFileFailure, ConfigFiles } from '../../config/reading/config-files.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { fileReason, PERMISSION_DENIED } from '../../system/errno.ts'
import {
  type FolderAtFault,
  judgeFolderTrail,
  judgeStat,
  judgeTrail,
  octal,
  ownerName,
} from '../../system/file-trust.ts'
import { readBounded } from '../../system/read-bounded.ts'
import { TO_READ } from '../../system/server-file.ts'
import { systemPath } from '../../system/system-path.ts'

const OTHERS_READ = 0o044
const OTHERS = 0o077

/** Room for more stanzas than any server has. */
const MOST_OF_FILE = 16 * 1024 * 1024
/** A file of keys has a few lines. Its user writes it, so its size must be limited. */
const MAX_KEY_FILE = 64 * 1024

/** Linux: looks at a file without opening it, because opening a device can have effects. */
const O_PATH = 0o10000000

/** @param user the owner that files must have, besides root. */
export function diskFiles(user: number): ConfigFiles {
  return {
    read: (path) => guarded(path, () => readOperators(path, user)),
    readKeys: (path) =>
      withCure(
        guarded(path, () => readUsers(path, user)),
        user,
      ),
    list(folder) {
      try {
        const exposed = judgeFolderTrail(folder, { owners: new Set([user, 0]), cure: operatorsCure(user) })
        if (exposed !== undefined) return { ok: false, failure: exposed }
        const all = readdirSync(systemPath(folder), { encoding: 'buffer' }).map((name) => textFromBytes(name))
        const names = all.filter((name) => name.endsWith('.conf'))
        return ok(names.sort().map((name) => join(folder, name)))
      } catch (error) {
        return refuse('CONFIG_UNREADABLE', `${folder}: ${fileReason(error)}`)
      }
    },
  }
}

/** A file of the operator's: only they may change it, and only they may read it if it holds keys. */
function readOperators(path: string, user: number): Result<string, ConfigFileFailure> {
  const owners = new Set([user, 0])
  const exposed = judgeTrail(path, { owners, cure: operatorsCure(user) })
  if (exposed !== undefined) return { ok: false, failure: exposed }
  return withDescriptor(openSync(systemPath(path), TO_READ), (descriptor) => {
    // Checks the open file and not its name: the two may differ a moment later.
    const stat = fstatSync(descriptor)
    if (!stat.isFile()) return refuse('CONFIG_UNREADABLE', `${path} is not a regular file`)
    const changeable = judgeStat(path, stat, owners)
    if (changeable !== undefined) return { ok: false, failure: changeable }
    const bytes = readBounded(descriptor, MOST_OF_FILE)
    if (bytes === undefined)
      return refuse('CONFIG_UNREADABLE', `${path} is larger than ${MOST_OF_FILE} bytes: it is no configuration file`)
    const text = textFromBytes(bytes)
    if (stat.mode & OTHERS_READ && holdsKeys(text))
      return refuse('CONFIG_EXPOSED', `${path} holds keys and can be read by others (mode ${octal(stat.mode)})`, {
        suggestion: `chmod 600 ${path}`,
      })
    return ok(text)
  })
}

function operatorsCure(user: number): (folder: FolderAtFault) => string {
  return ({ path, holds, fault }) => {
    if (fault === 'mode') return `chmod go-w ${path}`
    return holds ? `chown ${ownerName(user)} ${path}` : 'move the file into a folder such as /etc/fwknop'
  }
}

/**
 * A file of `%include_keys` may belong to any one user, who may change the keys of their stanza. All that leads to it
 * must belong to that user or root, so that their links cannot make us read another user's file. In a folder where
 * everybody may make files, anybody may have made it.
 */
function readUsers(path: string, user: number): Result<string, ConfigFileFailure> {
  return withDescriptor(openSync(systemPath(path), O_PATH), (found) => {
    const stat = fstatSync(found)
    if (!stat.isFile()) return refuse('CONFIG_UNREADABLE', `${path} is not a regular file`)
    if (stat.mode & OTHERS)
      return refuse(
        'CONFIG_EXPOSED',
        `${path} is a file of keys, and others can read or change it (mode ${octal(stat.mode)})`,
        {
          suggestion: `chmod 600 ${path}`,
        },
      )
    if (stat.size > MAX_KEY_FILE)
      return refuse('CONFIG_UNREADABLE', `${path} is larger than ${MAX_KEY_FILE} bytes: a file of keys has a few lines`)
    const exposed = judgeTrail(path, {
      owners: new Set([stat.uid, user, 0]),
      alone: true,
      cure: (folder) => {
        if (folder.fault === 'mode')
          return folder.owner === stat.uid
            ? `chmod go-w ${folder.path}`
            : `move ${path} into a folder that only its user can write to`
        // The file may be a hard link to another user's file: a chown would give that file away.
        return stat.nlink > 1
          ? `remove ${path}, and let its user write it again`
          : `chown ${ownerName(folder.owner)} ${path}`
      },
    })
    if (exposed !== undefined) return { ok: false, failure: exposed }
    const opened = openSync(`/proc/self/fd/${found}`, TO_READ)
    return withDescriptor(opened, (descriptor) => {
      const bytes = Buffer.alloc(MAX_KEY_FILE)
      let length = 0
      for (let got = -1; got !== 0 && length < bytes.length; length += got)
        got = readSync(descriptor, bytes, length, bytes.length - length, null)
      return ok(textFromBytes(bytes.subarray(0, length)))
    })
  })
}

function withDescriptor<T>(descriptor: number, use: (descriptor: number) => T): T {
  try {
    return use(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function guarded(path: string, read: () => Result<string, ConfigFileFailure>): Result<string, ConfigFileFailure> {
  try {
    return read()
  } catch (error) {
    return refuse('CONFIG_UNREADABLE', `${path}: ${fileReason(error)}`)
  }
}

/**
 * If root may not read the file, only its own service unit can be the cause: the unit gives no right over users’ files.
 */
function withCure(read: Result<string, ConfigFileFailure>, user: number): Result<string, ConfigFileFailure> {
  if (read.ok || user !== 0 || !read.failure.detail.endsWith(PERMISSION_DENIED)) return read
  const suggestion = 'let the service read users’ files: ProtectHome=read-only and CAP_DAC_READ_SEARCH (docs/CONFIG.md)'
  return { ok: false, failure: { ...read.failure, suggestion } }
}
