/** The users and groups that programs run as: from the names in the settings to the numbers of this host. */
import { readFileSync } from 'node:fs'
import type { AccountName, RunAs } from '../access/command.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { systemReason } from '../system/errno.ts'

/** A user and a group by number, with what a login shell would know of the user. */
export interface Login {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
}

type AccountFailure = Failure<'CONFIG_INVALID_VALUE'>

/** The texts of /etc/passwd and /etc/group. */
export interface AccountFiles {
  readonly passwd: string
  readonly group: string
}

/** @returns CONFIG_INVALID_VALUE if one of the files cannot be read. */
export function readAccountFiles(): Result<AccountFiles, AccountFailure> {
  try {
    return ok({ passwd: readFileSync('/etc/passwd', 'utf8'), group: readFileSync('/etc/group', 'utf8') })
  } catch (error) {
    return refuse('CONFIG_INVALID_VALUE', `users cannot be looked up: ${systemReason(error)}`)
  }
}

/**
 * Users of other sources (LDAP) are not found.
 * @returns undefined for programs that run as this process.
 */
export function findLogin({ user, group }: RunAs, files: AccountFiles): Result<Login | undefined, AccountFailure> {
  if (user === undefined) return ok(undefined)
  const fields = entryOf(user, files.passwd)
  const [name, , uid = '', gid = '', , home = '/'] = fields ?? []
  if (name === undefined || !isNumber(uid) || !isNumber(gid))
    return refuse('CONFIG_INVALID_VALUE', `there is no user “${user}” in /etc/passwd`, {
      suggestion: `useradd --system ${user}`,
    })
  const login = { name, uid: Number(uid), home: home.startsWith('/') ? home : '/' }
  if (group === undefined) return ok({ ...login, gid: Number(gid) })
  const found = findProgramGroup(group, files)
  return found.ok ? ok({ ...login, gid: found.value }) : found
}

/**
 * The group that a program gets. fwknopd looks CMD_EXEC_GROUP up among the users, so old files may name a user there:
 * then it is the user’s own group. A group of that name comes first.
 */
export function findProgramGroup(group: AccountName, files: AccountFiles): Result<number, AccountFailure> {
  const found = findGroup(group, files)
  const own = found.ok ? undefined : findLogin({ user: group }, files)
  return own?.ok && own.value !== undefined ? ok(own.value.gid) : found
}

/** @returns the number of the group. */
export function findGroup(group: AccountName, files: AccountFiles): Result<number, AccountFailure> {
  const number = entryOf(group, files.group)?.[2] ?? ''
  if (isNumber(number)) return ok(Number(number))
  return refuse('CONFIG_INVALID_VALUE', `there is no group “${group}” in /etc/group`, {
    suggestion: `groupadd --system ${group}`,
  })
}

function entryOf(name: string, text: string): readonly string[] | undefined {
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .find(([first]) => first === name)
}

function isNumber(text: string): boolean {
  return /^[0-9]{1,10}$/.test(text)
}
