/** What the page knows: the stanzas, the last knocks, and what is going on. */
import { signal } from '@preact/signals'
import { type Answer, call, type Failed, lines } from './api.ts'

export interface Setting {
  readonly name: string
  readonly value?: string
  readonly secret?: true
}

export interface Stanza {
  readonly name: string
  readonly settings: readonly Setting[]
  readonly summary: string
  readonly problem?: { readonly code: string; readonly detail: string; readonly suggestion?: string }
  readonly program: readonly string[]
}

export interface RcState {
  readonly file: string
  readonly revision: string
  readonly stanzas: readonly Stanza[]
  readonly defaults: readonly Setting[]
  readonly version: string
  readonly bundle: string
}

export interface Knock {
  readonly at: number
  readonly stanza: string
  readonly server: string
  readonly outcome: 'open' | 'already' | 'sent' | 'failed' | 'granted' | 'closed'
  readonly code?: string
  readonly detail?: string
  readonly address?: string
  readonly port?: number
  readonly milliseconds?: number
}

export const rc = signal<RcState | undefined>(undefined)
export const wrong = signal<Failed | undefined>(undefined)

/** Reads the stanzas again. */
export async function look(): Promise<void> {
  take(await call<RcState>('/api/state'))
}

/** Sends a change of the rc file. @returns whether it was made. */
export async function change(path: string, body: object): Promise<Failed | undefined> {
  const answer = await call<RcState>(path, { revision: rc.value?.revision ?? '', ...body })
  if (answer.ok) take(answer)
  // Somebody else changed it: show what is there now.
  else if (answer.failure.code === 'CONFIG_CONFLICT') await look()
  return answer.ok ? undefined : answer.failure
}

function take(answer: Answer<RcState>): void {
  if (answer.ok) rc.value = answer.value
  wrong.value = answer.ok ? undefined : answer.failure
}

export function stanzaOf(name: string): Stanza | undefined {
  return rc.value?.stanzas.find((it) => it.name === name)
}

export interface OpenPort {
  readonly address: string
  readonly port: number
}

/** What is known of the last knock with a stanza. */
export interface Going {
  readonly isOver: boolean
  /** Milliseconds since 1970. */
  readonly since: number
  readonly knocks: number
  readonly sentTo: readonly string[]
  readonly open?: OpenPort & {
    readonly milliseconds: number
    readonly already: boolean
    /** It was, since an earlier knock of this page. */
    readonly isOurs: boolean
    readonly seconds: number | null
    /** Milliseconds since 1970. */
    readonly at: number
  }
  /** It was to close, and not to open. */
  readonly closes?: true
  /** What the server says, where a gateway brought it. */
  readonly receipt?: {
    readonly verdict: 'open' | 'done' | 'closed'
    readonly seconds: number | null
    /** Milliseconds since 1970. */
    readonly at: number
    /** Another device. */
    readonly allow?: string
  }
  /** After a closing knock. */
  readonly tried?: OpenPort & { readonly isShut: boolean }
  /** With what to try again, once a passphrase is typed. */
  readonly retry?: More
  /** `asks`: for the passphrase of this key. */
  readonly failure?: Failed & { readonly causes: readonly string[]; readonly asks?: string }
  readonly program?: {
    readonly state: 'ask' | 'started' | 'failed'
    readonly argv?: readonly string[]
    readonly filled: readonly string[]
    readonly detail?: string
  }
}

export const going = signal<ReadonlyMap<string, Going>>(new Map())

/** Doors that are knocked at again before their time ends, for as long as the page is open. */
export const keptOpen = signal<ReadonlySet<string>>(new Set())
const again = new Map<string, ReturnType<typeof setTimeout>>()

export function keepOpen(name: string, keep: boolean): void {
  const names = new Set(keptOpen.value)
  if (keep) names.add(name)
  else names.delete(name)
  keptOpen.value = names
  clearTimeout(again.get(name))
  const open = going.value.get(name)?.open
  if (!keep || open === undefined || open.seconds === null) return
  const left = open.at + pauseOf(open.seconds) - Date.now()
  again.set(
    name,
    setTimeout(() => void knock(name), Math.max(0, left)),
  )
}

/** Whether it was proven open, and its time is not over. */
function isLasting(open: Going['open']): boolean {
  if (open === undefined || (open.already && !open.isOurs)) return false
  return open.seconds === null || open.at + 1000 * open.seconds > Date.now()
}

/** Until the next knock, in milliseconds: early enough that nothing closes in between. */
function pauseOf(seconds: number): number {
  return 1000 * Math.max(seconds / 2, seconds - 10)
}

type Event =
  | { event: 'sent'; number: number; packets: { address: string; port: number; error: string | null }[] }
  | ({ event: 'open' } & Omit<NonNullable<Going['open']>, 'at' | 'isOurs'>)
  | { event: 'receipt'; verdict: 'open' | 'done' | 'closed'; seconds: number | null }
  | { event: 'tried'; address: string; port: number; isShut: boolean }
  | { event: 'failed'; code: string; detail: string; suggestion: string | null; causes: string[]; asks?: string }
  | ({ event: 'program' } & NonNullable<Going['program']>)
  | { event: 'end' | 'note' }

/** What is asked for besides the stanza. */
export interface More {
  readonly allow?: string
  readonly timeout?: number
  readonly close?: true
  /** Of the GnuPG key that signs. Kept as long as this page is open, for the next knocks with the stanza. */
  readonly passphrase?: string
}

const passphrases = new Map<string, string>()

export async function knock(name: string, more: More = {}): Promise<void> {
  if (going.value.get(name)?.isOver === false) return
  if (more.passphrase !== undefined) passphrases.set(name, more.passphrase)
  const passphrase = passphrases.get(name)
  if (more.close === true) keepOpen(name, false)
  const set = (part: Partial<Going>): void => {
    const before = going.value.get(name) ?? { isOver: false, since: Date.now(), knocks: 0, sentTo: [] }
    going.value = new Map(going.value).set(name, { ...before, ...part })
  }
  /** Nothing is open any more. */
  const shut = (): void => {
    const { open: _, ...rest } = going.value.get(name) ?? { isOver: false, since: Date.now(), knocks: 0, sentTo: [] }
    going.value = new Map(going.value).set(name, rest)
  }
  const before = going.value.get(name)?.open
  // While it is asked for again or closed, it stays open.
  const still = isLasting(before) && before !== undefined ? { open: before } : {}
  const closes = more.close === true ? { closes: more.close } : {}
  going.value = new Map(going.value).set(name, {
    ...{ isOver: false, since: Date.now(), knocks: 0, sentTo: [], ...still, ...closes },
  })
  clearTimeout(again.get(name))
  const body = {
    name,
    wait: more.allow === undefined && more.close !== true,
    ...more,
    ...(passphrase !== undefined && { passphrase }),
  }
  const failed = await lines('/api/knock', body, (event: Event) => {
    if (event.event === 'sent') {
      const left = event.packets.filter(({ error }) => error === null)
      set({ knocks: event.number, sentTo: left.map(({ address, port }) => `${address} port ${port}`) })
    } else if (event.event === 'open') {
      const { event: _, ...open } = event
      set({ open: { ...open, at: Date.now(), isOurs: open.already && isLasting(before) } })
      if (keptOpen.value.has(name) && open.seconds !== null)
        again.set(
          name,
          setTimeout(() => void knock(name, more), pauseOf(open.seconds)),
        )
    } else if (event.event === 'receipt') {
      const { verdict, seconds } = event
      const allow = more.allow === undefined ? {} : { allow: more.allow }
      set({ receipt: { verdict, seconds, at: Date.now(), ...allow } })
      if (verdict === 'closed') shut()
    } else if (event.event === 'tried') {
      const { event: _, ...tried } = event
      set({ tried })
      if (tried.isShut) shut()
    } else if (event.event === 'failed') {
      const { event: _, ...failure } = event
      if (failure.asks !== undefined) passphrases.delete(name)
      set({ failure: { sentence: '', ...failure }, retry: more })
    } else if (event.event === 'program') {
      const { event: _, ...program } = event
      set({ program })
    }
  })
  set({ isOver: true, ...(failed !== undefined && { failure: { ...failed, causes: [] } }) })
}

/** Runs what was shown, and remembers that the user agreed to it. */
export async function run(name: string, argv: readonly string[], { address, port }: OpenPort): Promise<void> {
  const answer = await call('/api/run', { name, argv, address, port })
  const going_ = going.value.get(name)
  if (going_?.program === undefined) return
  const program = answer.ok
    ? { ...going_.program, state: 'started' as const }
    : { ...going_.program, state: 'failed' as const, detail: answer.failure.detail }
  going.value = new Map(going.value).set(name, { ...going_, program })
}
