/** `ghostport console account …` and `login`: who may use the console. */
import { randomBytes } from 'node:crypto'
import { systemClock } from '../../clock.ts'
import type { ConsoleConfig } from '../../config/console/console-config.ts'
import { nearest } from '../../config/reading/nearest.ts'
import {
  type Account,
  hasFactor,
  hashSecret,
  MOST_ACCOUNTS,
  MOST_LINKS,
  parseAccountName,
  ROLES,
  type Role,
} from '../../console/account.ts'
import { AccountBook, type AccountChange } from '../../console/account-book.ts'
import { makeMetricsToken } from '../../console/metrics-token.ts'
import { ok, type Refused, type Result, refuse } from '../../result.ts'
import { createUserFile } from '../../system/replace-user-file.ts'
import { StateFolder } from '../../system/state-folder.ts'
import type { Outcome } from '../command.ts'
import { gatewayIdentity } from '../gateway/identity.ts'
import { auditLogHere, recorded } from '../recorded.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { loginUrl } from './login-url.ts'
import type { ConsoleOptions } from './options.ts'

const ACCOUNT_ACTIONS = ['add', 'role', 'list', 'reset', 'remove'] as const
/** Bytes of the secret of a link: 128 bits. */
const SECRET_LENGTH = 16
const DEFAULT_TIME = '15m'
const LONGEST_LINK = 7 * 86_400
const UNIT_SECONDS: Readonly<Record<string, number>> = { m: 60, h: 3_600, d: 86_400 }

export async function act(
  operands: readonly string[],
  given: ConsoleOptions,
  config: ConsoleConfig,
  terminal: Terminal,
): Promise<Outcome> {
  const [action = '', word, name] = operands
  if (action !== 'account' && action !== 'login' && action !== 'metrics-token') {
    const meant = nearest(action, ['account', 'login', 'metrics-token', 'renew']) ?? 'login'
    return refuse('CLI_USAGE', `there is no action “${action}” of “console”`, {
      suggestion: `ghostport console ${meant}`,
    })
  }
  if (given.check > 0) return refuse('CLI_USAGE', `--check has no effect with “console ${action}”`)
  if (given.file !== undefined && action !== 'metrics-token')
    return refuse('CLI_USAGE', `--file has no effect with “console ${action}”`)
  if (action === 'metrics-token') return metricsToken(word, given, config, terminal)
  const planned = action === 'login' ? planLogin(word, name, given) : planAccount(word, name, given)
  if (!planned.ok) return planned
  const become = gatewayIdentity(config.user)
  if (!become.ok) return become
  const state = StateFolder.open(config.stateFolder, become.value)
  if (!state.ok) return state
  return await planned.value(new AccountBook(state.value), config, terminal)
}

/** The token is shown once: only its hash is kept. */
async function metricsToken(
  more: string | undefined,
  given: ConsoleOptions,
  config: ConsoleConfig,
  terminal: Terminal,
): Promise<Outcome> {
  if (more !== undefined) return refuse('CLI_USAGE', `unexpected argument “${more}”`)
  const misplaced = (['role', 'for'] as const).find((name) => given[name] !== undefined)
  if (misplaced !== undefined || given.json > 0)
    return refuse('CLI_USAGE', `--${misplaced ?? 'json'} has no effect with “console metrics-token”`)
  const become = gatewayIdentity(config.user)
  if (!become.ok) return become
  const state = StateFolder.open(config.stateFolder, become.value)
  if (!state.ok) return state
  const made = await audited(config, 'console metrics-token', 'a new token', undefined, async () =>
    makeMetricsToken(state.value),
  )
  if (!made.ok) return made
  if (given.file === undefined) terminal.print(made.value)
  else {
    const written = createUserFile(given.file, `${made.value}\n`)
    if (!written.ok) return written
    terminal.note(`ghostport: wrote the token to ${given.file}. Earlier tokens are good no more.`)
  }
  return 0
}

type Step = (book: AccountBook, config: ConsoleConfig, terminal: Terminal) => Promise<Outcome>

function planLogin(name: string | undefined, more: string | undefined, given: ConsoleOptions): Result<Step> {
  if (more !== undefined) return refuse('CLI_USAGE', `unexpected argument “${more}”`)
  if (name === undefined) return refuse('CLI_USAGE', 'missing argument NAME: ghostport console login NAME')
  if (given.role !== undefined) return refuse('CLI_USAGE', '--role has no effect with “console login”')
  const time = parseTime(given.for ?? DEFAULT_TIME)
  if (!time.ok) return time
  return ok(async (book, config, terminal) => {
    const secret = randomBytes(SECRET_LENGTH).toString('base64url')
    const now = systemClock.now()
    const until = now + time.value
    const at = new Date(until * 1000).toISOString()
    if (book.find(name) === undefined) return unknown(name, book)
    const made = await audited(config, 'console login', name, `a link until ${at}`, () =>
      book.changeOne(name, (account) => {
        const open = account.links.filter((link) => link.until > now)
        return ok({ ...account, links: [...open, { hash: hashSecret(secret), until }].slice(-MOST_LINKS) })
      }),
    )
    if (!made.ok) return made
    const link = loginUrl(config, secret)
    if (given.json > 0) terminal.printJson({ link, until: at })
    else {
      terminal.print(link)
      terminal.note(
        `ghostport: the link logs ${name} in once, until ${at.replace(/\.000Z$/, 'Z')}. Who has it is ${name}.`,
      )
    }
    return 0
  })
}

function parseTime(text: string): Result<number> {
  const [, digits, unit = ''] = /^([1-9][0-9]{0,4})([mhd])$/.exec(text) ?? []
  const time = Number(digits) * (UNIT_SECONDS[unit] ?? Number.NaN)
  if (!(time <= LONGEST_LINK))
    return refuse('VALUE_INVALID', `--for: “${text}” is not a time up to 7d, such as 15m or 2h`)
  return ok(time)
}

function planAccount(word: string | undefined, name: string | undefined, given: ConsoleOptions): Result<Step> {
  const action = ACCOUNT_ACTIONS.find((one) => one === word)
  if (action === undefined) {
    const meant = nearest(word ?? '', [...ACCOUNT_ACTIONS]) ?? 'list'
    return refuse(
      'CLI_USAGE',
      word === undefined
        ? 'missing argument WORD of “console account”'
        : `“${word}” is not one of ${ACCOUNT_ACTIONS.join(', ')}`,
      { suggestion: `ghostport console account ${meant}` },
    )
  }
  if (given.for !== undefined) return refuse('CLI_USAGE', `--for has no effect with “console account ${action}”`)
  if (given.json > 0 && action !== 'list')
    return refuse('CLI_USAGE', `--json has no effect with “console account ${action}”`)
  if (given.role !== undefined && action !== 'add' && action !== 'role')
    return refuse('CLI_USAGE', `--role has no effect with “console account ${action}”`)
  if (action === 'list')
    return name === undefined
      ? ok((book, _, terminal) => list(book, given, terminal))
      : refuse('CLI_USAGE', `unexpected argument “${name}”`)
  if (name === undefined) return refuse('CLI_USAGE', `missing argument NAME: ghostport console account ${action} NAME`)
  if (action === 'add' || action === 'role') {
    const role = ROLES.find((one) => one === given.role)
    if (role === undefined) {
      const meant = nearest(given.role ?? '', [...ROLES]) ?? 'viewer'
      return refuse(
        'CLI_USAGE',
        given.role === undefined ? `“account ${action}” needs --role` : `--role: “${given.role}” is no role`,
        {
          suggestion: `--role ${meant}`,
        },
      )
    }
    return action === 'add'
      ? ok((book, config, terminal) => add(name, role, book, config, terminal))
      : ok((book, config) => change(name, book, config, { did: 'role', after: role }, (one) => ({ ...one, role })))
  }
  return ok((book, config) =>
    action === 'reset' ? change(name, book, config, { did: 'reset' }, withoutFactors) : remove(name, book, config),
  )
}

async function list(book: AccountBook, given: ConsoleOptions, terminal: Terminal): Promise<Outcome> {
  const accounts = book.read()
  if (!accounts.ok) return accounts
  const shown = accounts.value.map((account) => ({
    name: account.name,
    role: account.role,
    totp: account.totp !== undefined,
    passkeys: account.passkeys.length,
    added: new Date(account.added * 1000).toISOString(),
  }))
  if (given.json > 0) terminal.printJson({ accounts: shown })
  else if (shown.length === 0)
    terminal.print('There are no accounts: “ghostport console account add NAME --role ROLE” adds one.')
  else
    terminal.print(
      accounts.value.map(
        (account) =>
          `${account.name}  ${account.role}  ${hasFactor(account) ? 'has a second factor' : 'has no second factor'}`,
      ),
    )
  return 0
}

async function add(
  name: string,
  role: Role,
  book: AccountBook,
  config: ConsoleConfig,
  terminal: Terminal,
): Promise<Outcome> {
  const parsed = parseAccountName(name)
  if (parsed === undefined)
    return refuse(
      'VALUE_INVALID',
      `NAME: “${name}” has other characters than letters, digits, “.”, “_”, “@” and “-”, or more than 64`,
    )
  if (book.find(name) !== undefined) return refuse('USER_EXISTS', `there is already an account “${name}”`)
  const toAdd: AccountChange<undefined> = (accounts) => {
    if (accounts.some((one) => one.name === name)) return refuse('USER_EXISTS', `there is already an account “${name}”`)
    if (accounts.length >= MOST_ACCOUNTS) return refuse('VALUE_INVALID', `there are already ${MOST_ACCOUNTS} accounts`)
    const account: Account = {
      ...{ name: parsed, role, revision: 0, added: systemClock.now(), links: [], passkeys: [] },
      id: randomBytes(16).toString('base64url'),
    }
    return ok([[...accounts, account], undefined] as const)
  }
  const added = await audited(config, 'console account add', name, role, () => book.change(toAdd))
  if (!added.ok) return added
  terminal.print(`${name} has an account. A link to log in: ghostport console login ${name}`)
  return 0
}

/** A change that ends the sessions of the account. */
async function change(
  name: string,
  book: AccountBook,
  config: ConsoleConfig,
  { did, after }: { readonly did: 'role' | 'reset'; readonly after?: string },
  to: (account: Account) => Account,
): Promise<Outcome> {
  if (book.find(name) === undefined) return unknown(name, book)
  const changed = await audited(config, `console account ${did}`, name, after, () =>
    book.changeOne(name, (account) => ok({ ...to(account), revision: account.revision + 1 })),
  )
  return changed.ok ? 0 : changed
}

function withoutFactors({ totp: _, ...account }: Account): Account {
  return { ...account, links: [], passkeys: [] }
}

async function remove(name: string, book: AccountBook, config: ConsoleConfig): Promise<Outcome> {
  if (book.find(name) === undefined) return unknown(name, book)
  const removed = await audited(config, 'console account remove', name, undefined, () =>
    book.change((accounts) => ok([accounts.filter((one) => one.name !== name), undefined] as const)),
  )
  return removed.ok ? 0 : removed
}

/** USER_UNKNOWN; or why the accounts cannot be read. */
function unknown(name: string, book: AccountBook): Refused {
  const accounts = book.read()
  if (!accounts.ok) return accounts
  const meant = nearest(
    name,
    accounts.value.map((one) => `${one.name}`),
  )
  return refuse('USER_UNKNOWN', `there is no account “${name}”`, meant === undefined ? {} : { suggestion: meant })
}

/**
 * Root changes who may act on this server: that has a line in its audit log. Another user has only a console of its
 * own, and may not write that log.
 */
function audited<T>(
  { serverSettings }: ConsoleConfig,
  did: string,
  to: string,
  after: string | undefined,
  act: () => Promise<Result<T>>,
): Promise<Result<T>> {
  if (process.geteuid?.() !== 0) return act()
  return recorded(auditLogHere(serverSettings), { did, to, ...(after !== undefined && { after: [after] }) }, act)
}
