/**
 * Who is logged in here. The token is in the store of this tab alone; a new tab of this console gets it from another
 * one. A link from the command line has its secret behind the “#”: it is taken out of the address at once.
 */
import { computed, signal } from '@preact/signals'
import { type Account, type Answer, ended, type Failed, get, post, type Role, token } from './api.ts'
import { startLive, stopLive } from './live/live.ts'

const KEPT = 'ghostport-console-token'
const CHANNEL = 'ghostport-console-session'
/** Milliseconds that another tab has to answer. */
const WAIT_FOR_TABS = 200

export type SessionState = 'looking' | 'out' | 'in'

export const state = signal<SessionState>('looking')
export const account = signal<Account | undefined>(undefined)
/** Why somebody must log in again. */
export const why = signal<string | undefined>(undefined)
/** The secret of a link that was opened, and not yet used. */
export const linkSecret = signal<string | undefined>(takeLink())

const ROLES: readonly Role[] = ['viewer', 'operator', 'administrator']

/** Whether the account may do what this role may. The server judges it again. */
export function may(role: Role): boolean {
  return account.value !== undefined && ROLES.indexOf(account.value.role) >= ROLES.indexOf(role)
}
export const mayAct = computed(() => may('operator'))
export const mayManage = computed(() => may('administrator'))

type Said =
  | { readonly say: 'who is in' }
  | { readonly say: 'session'; readonly token: string }
  | { readonly say: 'out' }

const channel = new BroadcastChannel(CHANNEL)
channel.onmessage = ({ data }: MessageEvent<Said>) => {
  if (data.say === 'who is in' && state.value === 'in' && token.value !== undefined)
    channel.postMessage({ say: 'session', token: token.value } satisfies Said)
  if (data.say === 'session' && state.value === 'looking' && token.value === undefined) void enter(data.token)
  if (data.say === 'out' && state.value === 'in') leave(undefined)
}

/** What the secret of a link looks like; anything else behind the “#” names a view. */
function takeLink(): string | undefined {
  const [, secret] = /^#login=([A-Za-z0-9_-]{16,200})$/.exec(location.hash) ?? []
  if (secret !== undefined) history.replaceState(null, '', location.pathname)
  return secret
}

export async function look(): Promise<void> {
  ended.tell = (because) => leave(because)
  // A link may also come into a tab that is open already.
  addEventListener('hashchange', () => {
    const secret = takeLink()
    if (secret === undefined) return
    leave(undefined)
    linkSecret.value = secret
  })
  if (linkSecret.value !== undefined) {
    state.value = 'out'
    return
  }
  const kept = sessionStorage.getItem(KEPT)
  if (kept !== null) return await enter(kept)
  channel.postMessage({ say: 'who is in' } satisfies Said)
  await new Promise((resolve) => setTimeout(resolve, WAIT_FOR_TABS))
  if (token.value === undefined && state.value === 'looking') state.value = 'out'
}

async function enter(given: string): Promise<void> {
  token.value = given
  const answer = await get<{ readonly account: Account }>('/v1/session')
  if (answer.ok) arrive(answer.value.account)
  else if (answer.failure.code === 'CONSOLE_AWAY') {
    // The session may live: the page tries it again when it is loaded again.
    why.value = answer.failure.detail
    state.value = 'out'
  } else if (token.value !== undefined) leave(undefined)
}

function arrive(who: Account): void {
  account.value = who
  if (token.value !== undefined) sessionStorage.setItem(KEPT, token.value)
  linkSecret.value = undefined
  why.value = undefined
  state.value = 'in'
  startLive()
}

function leave(because: string | undefined): void {
  stopLive()
  token.value = undefined
  account.value = undefined
  sessionStorage.removeItem(KEPT)
  why.value = because
  state.value = 'out'
}

interface Entered {
  readonly token: string
  readonly account: Account
}

/** @returns what is wrong; undefined: logged in. `TOTP_NEEDED`: ask for the code. */
export async function logIn(path: string, body: object): Promise<Failed | undefined> {
  const answer: Answer<Entered> = await post<Entered>(path, body)
  if (!answer.ok) return answer.failure
  token.value = answer.value.token
  arrive(answer.value.account)
  return undefined
}

export async function logOut(): Promise<void> {
  await post('/v1/session/end')
  channel.postMessage({ say: 'out' } satisfies Said)
  leave('You are logged out.')
}
