/**
 * landlock(7): a process gives up all files but some, and all TCP ports, for itself and all that it starts. It needs no
 * privilege. Linux 5.13 and later.
 */
import { closeSync, constants, existsSync, openSync, statSync } from 'node:fs'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { describeErrno } from './errno.ts'
import { libc, PR_SET_NO_NEW_PRIVS } from './libc.ts'

// linux/landlock.h
const RULE_PATH_BENEATH = 1
const CREATE_RULESET_VERSION = 1
const EXECUTE = 1 << 0
const WRITE_FILE = 1 << 1
const READ_FILE = 1 << 2
const READ_DIR = 1 << 3
const REMOVE_DIR = 1 << 4
const TRUNCATE = 1 << 14
/** What a rule may say of a file that is no folder. */
const OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
/** All rights that a version of the kernel's interface knows: the n-th for version n + 1; later ones know the last. */
const ALL_RIGHTS = [0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff]
/** From version 4 on: to bind and to connect TCP ports. */
const ALL_OF_NETWORK = 3
/** From version 6 on: abstract Unix sockets, and signals to processes outside. */
const ALL_SCOPES = 3

const O_PATH = 0o10000000

export interface ReachableFiles {
  /** Folders and files to read and execute. Those that do not exist are left out. */
  readonly read: readonly string[]
  /** Folders and files to read, change and make anything in. */
  readonly write: readonly string[]
  /** Folders in which it may remove folders that are empty. */
  readonly removeFoldersIn?: readonly string[]
}

/**
 * From here on, this thread and all that it starts reaches only these files.
 * @returns PRIVILEGE_EXCESSIVE where the kernel cannot see to that.
 */
export function restrictFiles({
  read,
  write,
  removeFoldersIn = [],
}: ReachableFiles): Result<void, Failure<'PRIVILEGE_EXCESSIVE'>> {
  try {
    const native = libc()
    const version = native.landlockCreateRuleset(null, 0, CREATE_RULESET_VERSION)
    if (version < 1) throw new Error(describeErrno(native.errno()))
    const all = ALL_RIGHTS[Math.min(version, ALL_RIGHTS.length) - 1] ?? 0
    const attributes = new BigUint64Array([BigInt(all), BigInt(ALL_OF_NETWORK), BigInt(ALL_SCOPES)])
    const size = version >= 6 ? 24 : version >= 4 ? 16 : 8
    const ruleset = native.landlockCreateRuleset(new Uint8Array(attributes.buffer), size, 0)
    if (ruleset < 0) throw new Error(describeErrno(native.errno()))
    for (const path of read) addRule(ruleset, path, (EXECUTE | READ_FILE | READ_DIR) & all)
    for (const path of write) addRule(ruleset, path, all)
    for (const path of removeFoldersIn) addRule(ruleset, path, REMOVE_DIR)
    native.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if (native.landlockRestrictSelf(ruleset, 0) < 0) throw new Error(describeErrno(native.errno()))
    native.close(ruleset)
    return ok(undefined)
  } catch (error) {
    return refuse('PRIVILEGE_EXCESSIVE', `its files cannot be confined (landlock): ${(error as Error).message}`)
  }
}

/** @throws Error with a sentence. */
function addRule(ruleset: number, path: string, rights: number): void {
  if (!existsSync(path)) return
  const native = libc()
  const fd = openSync(path, O_PATH | constants.O_RDONLY)
  try {
    const rule = new DataView(new ArrayBuffer(12))
    rule.setBigUint64(0, BigInt(statSync(path).isDirectory() ? rights : rights & OF_FILES), true)
    rule.setInt32(8, fd, true)
    if (native.landlockAddRule(ruleset, RULE_PATH_BENEATH, new Uint8Array(rule.buffer), 0) < 0)
      throw new Error(`${path}: ${describeErrno(native.errno())}`)
  } finally {
    closeSync(fd)
  }
}
