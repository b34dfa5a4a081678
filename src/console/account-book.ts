/**
 * The accounts, in a file of the console's state folder. A command of root changes it too, while the console runs: so
 * it is read again when it changed, and each change is made under a lock.
 */
import { jsonLine } from '../bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import type { StateFolder } from '../system/state-folder.ts'
import { type Account, hashSecret, readAccounts } from './account.ts'

const FILE = 'accounts.json'
const LOCK = 'accounts.lock'

/** What a change makes of the accounts, and what it tells its caller. */
export type AccountChange<T> = (accounts: readonly Account[]) => Result<readonly [readonly Account[], T]>

export class AccountBook {
  readonly #state: StateFolder

  constructor(state: StateFolder) {
    this.#state = state
  }

  read(): Result<readonly Account[]> {
    const text = this.#state.read(FILE)
    if (!text.ok) return text
    if (text.value === undefined) return ok([])
    try {
      const read = readAccounts(JSON.parse(text.value))
      if (read !== undefined) return ok(read.accounts)
    } catch {
      // Told below.
    }
    return refuse(
      'CONFIG_UNREADABLE',
      `${this.#state.path}/${FILE} is damaged: restore it, or remove it and add its accounts again`,
    )
  }

  /** @returns undefined also where the file cannot be read: then nobody has an account. */
  find(name: string): Account | undefined {
    const accounts = this.read()
    return accounts.ok ? accounts.value.find((one) => one.name === name) : undefined
  }

  /** @returns whose link it is, if it is good at `now`. */
  withLink(secret: string, now: number): Account | undefined {
    const hash = hashSecret(secret)
    const accounts = this.read()
    return accounts.ok
      ? accounts.value.find(({ links }) => links.some((link) => link.hash === hash && link.until > now))
      : undefined
  }

  /** Reads, changes and writes, while no other process can. CONFIG_UNWRITABLE if another one takes too long. */
  async change<T>(change: AccountChange<T>): Promise<Result<T>> {
    const locked = await this.#state.lock(LOCK)
    if (!locked.ok) return locked
    try {
      return this.#changeNow(change)
    } finally {
      locked.value()
    }
  }

  /** Changes one account. USER_UNKNOWN if it is gone; what `change` refuses. */
  changeOne(
    name: string,
    change: (account: Account, all: readonly Account[]) => Result<Account>,
  ): Promise<Result<Account>> {
    return this.change((accounts) => {
      const at = accounts.findIndex((one) => one.name === name)
      const found = accounts[at]
      if (found === undefined) return refuse('USER_UNKNOWN', `there is no account “${name}”`)
      const changed = change(found, accounts)
      return changed.ok ? ok([accounts.with(at, changed.value), changed.value] as const) : changed
    })
  }

  #changeNow<T>(change: AccountChange<T>): Result<T, Failure> {
    const accounts = this.read()
    if (!accounts.ok) return accounts
    const changed = change(accounts.value)
    if (!changed.ok) return changed
    const [after, told] = changed.value
    const written = this.#state.write(FILE, `${jsonLine({ version: '1', accounts: after })}\n`)
    return written.ok ? ok(told) : written
  }
}
