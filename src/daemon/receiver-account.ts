/** RECEIVER_USER: the account of the receiver on this host. */
import { readFileSync } from 'node:fs'
import { type Failure, type Result, refuse } from '../result.ts'
import type { LoadedConfig } from './load-config.ts'
import { type Account, findAccount } from './privilege.ts'

const PASSWD = '/etc/passwd'

/** @returns CONFIG_INVALID_VALUE where there is no such user, with file and line of the setting. */
export function receiverAccount({
  server: { receiverUser },
  at,
}: Pick<LoadedConfig, 'server' | 'at'>): Result<Account, Failure<'CONFIG_INVALID_VALUE'>> {
  const account = lookUpAccount(receiverUser)
  if (account.ok) return account
  const place = at.RECEIVER_USER
  return refuse(
    'CONFIG_INVALID_VALUE',
    `RECEIVER_USER: ${account.failure.detail}`,
    place === undefined ? {} : { at: place },
  )
}

/** {@link findAccount} in this machine’s /etc/passwd. */
export function lookUpAccount(user: string): Result<Account, Failure<'CONFIG_INVALID_VALUE'>> {
  let passwd: string
  try {
    passwd = readFileSync(PASSWD, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return refuse(
      'CONFIG_INVALID_VALUE',
      code === 'ENOENT'
        ? `user “${user}” cannot be looked up: this system has no ${PASSWD}. Make that file, with the line ${lineFor(user)}`
        : `user “${user}” cannot be looked up: ${message}`,
    )
  }
  return findAccount(passwd, user)
}

function lineFor(user: string): string {
  return `${user}:x:65534:65534::/nonexistent:/usr/sbin/nologin`
}
