/**
 * The account of the receiver: the user of RECEIVER_USER; else the user `ghostport`; else a user id of our own. It must
 * not run anything else, because processes of one user may stop each other.
 */
import { readFileSync } from 'node:fs'
import type { LoadedConfig } from '../../../config/load.ts'
import { type Failure, ok, type Result, refuse } from '../../../result.ts'
import { errorCode, systemReason } from '../../../system/errno.ts'
import { type Account, findAccount } from '../../../system/privilege.ts'

const PASSWD = '/etc/passwd'
const GROUP = '/etc/group'
/** The user that a package, or the administrator, makes for the receiver. */
const OWN_USER = 'ghostport'
/** Ids that neither Debian nor systemd assigns (systemd’s UIDS-GIDS leaves 60578 to 61183 unused). */
const OWN_IDS = { first: 60_900, last: 60_999 }

/** @returns CONFIG_INVALID_VALUE, with file and line, if RECEIVER_USER names no user; or if no id is free. */
export function receiverAccount({
  server: { receiverUser },
  at,
}: Pick<LoadedConfig, 'server' | 'at'>): Result<Account, Failure<'CONFIG_INVALID_VALUE'>> {
  const account = receiverUser === undefined ? ownAccount() : lookUpAccount(receiverUser)
  if (account.ok) return account
  const location = at.RECEIVER_USER
  return refuse(
    'CONFIG_INVALID_VALUE',
    `RECEIVER_USER: ${account.failure.detail}`,
    location === undefined ? {} : { at: location },
  )
}

/** {@link findAccount} in this machine’s /etc/passwd. */
export function lookUpAccount(user: string): Result<Account, Failure<'CONFIG_INVALID_VALUE'>> {
  let passwd: string
  try {
    passwd = readFileSync(PASSWD, 'utf8')
  } catch (error) {
    return refuse(
      'CONFIG_INVALID_VALUE',
      errorCode(error) === 'ENOENT'
        ? `user “${user}” cannot be looked up: this system has no ${PASSWD}. Leave RECEIVER_USER out: ghostport then takes an id of its own`
        : `user “${user}” cannot be looked up: ${systemReason(error)}`,
    )
  }
  return findAccount(passwd, user)
}

function ownAccount(): Result<Account, Failure<'CONFIG_INVALID_VALUE'>> {
  return chooseOwnAccount(readOptional(PASSWD), readOptional(GROUP))
}

/**
 * The user for look-ups of names: an id of its own, so that the process that reads DNS answers cannot stop the
 * receiver; else the receiver’s.
 * @returns the best first.
 */
export function lookupAccounts(receiver: Account): readonly Account[] {
  const own = freeIds(readOptional(PASSWD), readOptional(GROUP)).find(
    (id) => id !== receiver.uid && id !== receiver.gid,
  )
  return own === undefined ? [receiver] : [accountOf(own), receiver]
}

/** The user of the process that delivers webhooks: an id of its own, of the other end of the range. */
export function senderAccount(): Account {
  return accountOf(freeIds(readOptional(PASSWD), readOptional(GROUP)).at(-1) ?? OWN_IDS.last)
}

/** The user of the process that asks etcd: an id of its own too. */
export function clusterAccount(): Account {
  return accountOf(freeIds(readOptional(PASSWD), readOptional(GROUP)).at(-3) ?? OWN_IDS.last)
}

/** The user of the process that talks to etcd for a command: not that of a running server. */
export function errandAccount(): Account {
  return accountOf(freeIds(readOptional(PASSWD), readOptional(GROUP)).at(-4) ?? OWN_IDS.last)
}

/** The user for the gpg of a command that looks at a packet: not that of a running server, nor the sender’s. */
export function gnupgInquiryAccount(): Account {
  return accountOf(freeIds(readOptional(PASSWD), readOptional(GROUP)).at(-2) ?? OWN_IDS.last)
}

/**
 * The user for gpg: an id of its own, so that it can touch neither the receiver nor a look-up; else the receiver’s.
 */
export function gnupgAccount(receiver: Account): Account {
  const free = freeIds(readOptional(PASSWD), readOptional(GROUP)).filter(
    (id) => id !== receiver.uid && id !== receiver.gid,
  )
  // The first is for look-ups.
  const own = free[1]
  return own === undefined ? receiver : accountOf(own)
}

/**
 * The user `ghostport` if it exists, else an id that no user and no group has.
 * @param passwd the text of /etc/passwd; @param group that of /etc/group. Empty if there is no such file.
 */
export function chooseOwnAccount(passwd: string, group: string): Result<Account, Failure<'CONFIG_INVALID_VALUE'>> {
  const made = findAccount(passwd, OWN_USER)
  if (made.ok) return made
  const [id] = freeIds(passwd, group)
  if (id !== undefined) return ok(accountOf(id))
  return refuse(
    'CONFIG_INVALID_VALUE',
    `each user id from ${OWN_IDS.first} to ${OWN_IDS.last} is taken: make the user ${OWN_USER} (useradd --system ${OWN_USER})`,
  )
}

/** Ids of our own that no user and no group has. */
function freeIds(passwd: string, group: string): readonly number[] {
  const taken = new Set([passwd, group].flatMap((text) => text.split('\n').map((line) => Number(line.split(':')[2]))))
  const all = Array.from({ length: OWN_IDS.last - OWN_IDS.first + 1 }, (_, i) => OWN_IDS.first + i)
  return all.filter((id) => !taken.has(id))
}

function accountOf(id: number): Account {
  return { name: `user ${id}`, uid: id, gid: id }
}

function readOptional(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
