/**
 * Requests to `ghostport console` (docs/CONSOLE.md), and the words of its answers. The server judges each request
 * again: what this page does not offer is not thereby forbidden.
 */
import { signal } from '@preact/signals'

export type Role = 'viewer' | 'operator' | 'administrator'

export interface Account {
  readonly name: string
  readonly role: Role
  readonly totp: boolean
  readonly passkeys: readonly { readonly id: string; readonly name: string; readonly added: string }[]
  /** Whether there is a second factor. */
  readonly factors: boolean
}

export interface Grant {
  readonly id: string
  readonly source: string
  readonly opens: readonly string[]
  /** NAME of the stanza: proven. */
  readonly name?: string
  /** What the packet says of its user: a claim. */
  readonly user?: string
  readonly since?: string
  /** Null: without an end. */
  readonly until: string | null
  readonly kind?: string
  readonly extendable: boolean
}

/** A line of the server's log. Each text of it may come from a stranger. */
export interface LogEvent {
  /** Grows for ever. */
  readonly id: number
  readonly at: string
  readonly level: string
  readonly event: string
  readonly verdict?: string
  readonly code?: string
  readonly detail?: string
  readonly source?: string
  readonly user?: string
  readonly name?: string
  readonly grant?: string
  readonly for?: string
  readonly via?: string
  readonly lifetime?: number
  readonly [field: string]: unknown
}

export interface Problem {
  readonly code?: string
  readonly text: string
  readonly cure?: string
}

export interface ServerState {
  readonly state: 'up' | 'away'
  readonly version?: string
  /** Null: it is away. */
  readonly since?: string | null
  readonly gate?: boolean
  readonly firewall?: string | null
  readonly problems?: readonly Problem[]
}

export interface Invitation {
  /** `link`: claimed on the server. `gateway`: by a device, through a gateway. `file`: sealed in a file. */
  readonly form?: string
  /** `open`, `claimed`, `used`, `not confirmed`, `ended`, `forged`. */
  readonly state: string
  readonly until?: string | null
  /** The device that took it. */
  readonly claim?: { readonly at: string | null; readonly from: string | null }
}

export interface User {
  readonly name: string
  readonly stanza?: number
  readonly state: 'on' | 'off' | 'ended'
  readonly opens: readonly string[]
  readonly source?: string | null
  /** Keys that were replaced, and still open: whose they are. */
  readonly oldKeysOf?: string | null
  readonly expires: string | null
  readonly lastKnock: { readonly at: string; readonly from?: string } | null
  readonly openGrants: number
  readonly invitation: Invitation | null
}

/** New keys. They are shown once. */
export interface NewKeys {
  readonly name: string
  /** `ghostport://profile/…` */
  readonly profile: string
  /** For a `.fwknoprc`. */
  readonly stanza?: string
}

export interface Refusals {
  readonly steps: readonly { readonly at: string; readonly codes: Readonly<Record<string, number>> }[]
  readonly codes: readonly { readonly code: string; readonly count: number }[]
  readonly sources: readonly {
    readonly source: string
    readonly count: number
    readonly last: string
    readonly codes: Readonly<Record<string, number>>
  }[]
}

export interface HistoryPage {
  readonly events: readonly LogEvent[]
  readonly next: number | null
  readonly oldest: string | null
  readonly kept: number
}

export interface Policy {
  readonly server?: Readonly<Record<string, unknown>>
  readonly stanzas: readonly Readonly<Record<string, unknown>>[]
  /** What is wrong with the files of now. */
  readonly errors?: readonly unknown[]
  readonly notices?: readonly unknown[]
}

export interface Doctor {
  readonly findings: readonly {
    readonly level: string
    readonly name: string
    readonly text: string
    readonly cure?: string
  }[]
  readonly at: string
}

export interface AuditLine {
  readonly seq: number
  readonly time: string
  readonly by: {
    readonly via: string
    readonly uid?: number
    readonly loginUid?: number
    readonly name?: string
    readonly from?: string
  }
  readonly did: string
  readonly to?: string
  readonly before?: readonly string[]
  readonly after?: readonly string[]
  readonly note?: string
}

export interface AuditPage {
  readonly entries: readonly AuditLine[]
  readonly next: number | null
  readonly whole: boolean
}

export interface Failed {
  readonly code: string
  readonly detail: string
  readonly suggestion?: string
}

export type Answer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failed }

/** Of this session. Kept for this tab, and handed to other tabs of this console. */
export const token = signal<string | undefined>(undefined)

/** Told when the server knows the session no more. */
export const ended = { tell: (_why: string): void => {} }
/** Asks for the second factor. @returns whether it was given. */
export const stepUp = { ask: (): Promise<boolean> => Promise.resolve(false) }

type Method = 'GET' | 'POST'

/** @param body absent: none is sent. A step-up that the request needs is asked for, and the request is sent again. */
async function call<T>(method: Method, path: string, body?: object): Promise<Answer<T>> {
  const first = await once<T>(method, path, body)
  if (first.ok || first.failure.code !== 'STEP_UP_NEEDED') return first
  if (!(await stepUp.ask())) return failed('STEP_UP_NEEDED', 'Nothing was changed: this needs your second factor.')
  return await once<T>(method, path, body)
}

export function get<T>(path: string): Promise<Answer<T>> {
  return call<T>('GET', path)
}

export function post<T>(path: string, body: object = {}): Promise<Answer<T>> {
  return call<T>('POST', path, body)
}

async function once<T>(method: Method, path: string, body: object | undefined): Promise<Answer<T>> {
  const response = await send(method, path, body)
  if (response === undefined)
    return failed('CONSOLE_AWAY', 'The console does not answer. Is “ghostport console” running?')
  if (response.status === 204) return { ok: true, value: undefined as T }
  const value = (await response.json().catch(() => undefined)) as unknown
  if (response.ok && value !== undefined) return { ok: true, value: value as T }
  const failure = failureIn(value, response.status)
  const isAboutLogin = /^(?:TOTP_NEEDED|LOGIN_REFUSED|STEP_UP_REFUSED)$/.test(failure.code)
  if (response.status === 401 && !isAboutLogin && token.value !== undefined) ended.tell('Your session has ended.')
  return { ok: false, failure }
}

/** @returns undefined where no answer comes. */
export async function send(
  method: Method,
  path: string,
  body?: object,
  more: { readonly headers?: Readonly<Record<string, string>>; readonly signal?: AbortSignal } = {},
): Promise<Response | undefined> {
  try {
    return await fetch(path, {
      method,
      headers: {
        ...(token.value !== undefined && { authorization: `Bearer ${token.value}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...more.headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(more.signal !== undefined && { signal: more.signal }),
      cache: 'no-store',
      credentials: 'omit',
    })
  } catch {
    return undefined
  }
}

function failed<T>(code: string, detail: string): Answer<T> {
  return { ok: false, failure: { code, detail } }
}

function failureIn(value: unknown, status: number): Failed {
  if (typeof value === 'object' && value !== null && 'code' in value && typeof value.code === 'string') {
    const { code } = value
    const detail = 'detail' in value && typeof value.detail === 'string' ? value.detail : ''
    const suggestion = 'suggestion' in value && typeof value.suggestion === 'string' ? value.suggestion : undefined
    return { code, detail, ...(suggestion !== undefined && { suggestion }) }
  }
  return { code: `HTTP_${status}`, detail: `The console answered with status ${status}.` }
}
