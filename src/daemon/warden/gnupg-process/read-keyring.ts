/**
 * Reads the files of a keyring, for the GnuPG process: it is another user, and cannot read them. Nothing is parsed.
 * Only what decrypts and verifies goes along: no sockets, no locks, no revocation certificates, no settings of the
 * agent.
 */
import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Failure, ok, type Result, refuse } from '../../../result.ts'
import { errorCode, fileReason, systemReason } from '../../../system/errno.ts'
import { judgeFolderTrail, judgeStat, ourUsers } from '../../../system/file-trust.ts'
import type { KeyringFile } from '../../link/gnupg-protocol.ts'

const PUBLIC = ['pubring.kbx', 'pubring.gpg']
const BESIDES = ['trustdb.gpg', 'gpg.conf', 'tofu.db', 'secring.gpg', '.gpg-v21-migrated']
const SECRET_KEYS = 'private-keys-v1.d'
const SECRET_KEY = /^[0-9A-F]{40}\.key$/
/** Bytes, and files: more than any keyring of a server. */
const LARGEST = 64 * 1024 * 1024
const MOST_SECRET_KEYS = 1000

type KeyringFailure = Failure<'CONFIG_UNREADABLE' | 'CONFIG_EXPOSED'>

/**
 * @returns CONFIG_UNREADABLE; or CONFIG_EXPOSED where others could change the keyring: they would decide who may enter.
 */
export function readKeyring(home: string): Result<readonly KeyringFile[], KeyringFailure> {
  try {
    if (!statSync(home).isDirectory()) return refuse('CONFIG_UNREADABLE', `${home} is not a folder`)
    const exposed = judgeFolderTrail(home, { owners: ourUsers() })
    if (exposed !== undefined) return { ok: false, failure: exposed }
  } catch (error) {
    return refuse('CONFIG_UNREADABLE', `${home}: ${folderReason(error)}`)
  }
  const names = secretKeysOf(home)
  if (!names.ok) return names
  const files: KeyringFile[] = []
  let total = 0
  for (const name of [...PUBLIC, ...BESIDES, ...names.value]) {
    const read = readFile(join(home, name))
    if (!read.ok) return read
    if (read.value === undefined) continue
    total += read.value.length
    if (total > LARGEST)
      return refuse('CONFIG_UNREADABLE', `${home} has more than ${LARGEST} bytes: use a keyring of its own`)
    files.push({ name, contents: read.value.toString('base64') })
  }
  if (!files.some(({ name }) => PUBLIC.includes(name)))
    return refuse(
      'CONFIG_UNREADABLE',
      `${home} holds no keyring (${PUBLIC.join(', ')}): import the keys (gpg --homedir ${home} --import)`,
    )
  return ok(files)
}

function secretKeysOf(home: string): Result<readonly string[], KeyringFailure> {
  try {
    const keys = readdirSync(join(home, SECRET_KEYS)).filter((name) => SECRET_KEY.test(name))
    if (keys.length <= MOST_SECRET_KEYS) return ok(keys.map((name) => join(SECRET_KEYS, name)))
    return refuse(
      'CONFIG_UNREADABLE',
      `${home} has more than ${MOST_SECRET_KEYS} secret keys: use a keyring of its own`,
    )
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return ok([])
    return refuse('CONFIG_UNREADABLE', `${join(home, SECRET_KEYS)}: ${folderReason(error)}`)
  }
}

/** @returns undefined for a file that is not there. */
function readFile(path: string): Result<Buffer | undefined, KeyringFailure> {
  let descriptor: number
  try {
    // Not through a link, and not waiting for a pipe.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    return errorCode(error) === 'ENOENT' ? ok(undefined) : refuse('CONFIG_UNREADABLE', `${path}: ${fileReason(error)}`)
  }
  try {
    const stat = fstatSync(descriptor)
    if (!stat.isFile()) return refuse('CONFIG_UNREADABLE', `${path} is not a regular file`)
    const exposed = judgeStat(path, stat, ourUsers())
    if (exposed !== undefined) return { ok: false, failure: exposed }
    if (stat.size > LARGEST) return refuse('CONFIG_UNREADABLE', `${path} has more than ${LARGEST} bytes`)
    return ok(readFileSync(descriptor))
  } catch (error) {
    return refuse('CONFIG_UNREADABLE', `${path}: ${fileReason(error)}`)
  } finally {
    closeSync(descriptor)
  }
}

function folderReason(error: unknown): string {
  const code = errorCode(error)
  if (code === 'ENOENT') return 'there is no such folder. A unit with ProtectHome=yes does not see /root and /home'
  return systemReason(error)
}
