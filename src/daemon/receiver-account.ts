/** RECEIVER_USER: the account of the receiver on this host, and whether a receiver can run under it. */
import { readFileSync } from 'node:fs'
import { type Failure, type Result, refuse } from '../result.ts'
import type { LoadedConfig } from './load-config.ts'
import { type Account, checkSituation, currentSituation, findAccount } from './privilege.ts'

const PASSWD = '/etc/passwd'

/**
 * @returns CONFIG_INVALID_VALUE where there is no such user, with file and line of the setting; PRIVILEGE_MISSING where
 *   this process could not give up enough for a receiver.
 */
export function receiverAccount({
  server: { receiverUser },
  at,
}: Pick<LoadedConfig, 'server' | 'at'>): Result<Account, Failure<'CONFIG_INVALID_VALUE' | 'PRIVILEGE_MISSING'>> {
  const account = lookUpAccount(receiverUser)
  if (!account.ok) {
    const place = at.RECEIVER_USER
    const { detail, code } = account.failure
    return refuse(code, `RECEIVER_USER: ${detail}`, place === undefined ? {} : { at: place })
  }
  const possible = checkSituation(account.value, currentSituation())
  return possible.ok ? account : possible
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
