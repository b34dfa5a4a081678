/** Requests to the program behind this page. The token is kept for this tab alone. */
import { signal } from '@preact/signals'

export interface Failed {
  readonly code: string
  readonly sentence: string
  readonly detail: string
  readonly suggestion: string | null
}

export type Answer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failed }

/** `gone`: the program has ended. `strange`: this tab was not opened by it. */
export const connection = signal<'there' | 'gone' | 'strange'>('there')

const KEPT = 'ghostport-token'

/** The page that was launched has it. Then it is only in the store of the tab. */
const token = ((): string | null => {
  const place = document.querySelector<HTMLMetaElement>('meta[name="ghostport-token"]')
  const given = place?.content ?? ''
  if (given === '') return sessionStorage.getItem(KEPT)
  sessionStorage.setItem(KEPT, given)
  place?.remove()
  history.replaceState(null, '', '/')
  return given
})()
if (token === null) connection.value = 'strange'

const GONE: Failed = {
  code: 'GONE',
  sentence: 'the program behind this page has ended',
  detail: 'run “ghostport ui” again',
  suggestion: null,
}
const FAULT: Failed = { ...GONE, code: 'FAULT', sentence: 'the program did not take this', detail: '' }

/** @param body absent: nothing is written. */
export async function call<T>(path: string, body?: unknown): Promise<Answer<T>> {
  const response = await send(path, body)
  if (response === undefined) return { ok: false, failure: GONE }
  const value = (await response.json().catch(() => ({}))) as { error?: Failed | string }
  if (response.ok) return { ok: true, value: value as T }
  const { error } = value
  return { ok: false, failure: typeof error === 'object' ? error : { ...FAULT, detail: error ?? `${response.status}` } }
}

/** A request whose answer is lines of JSON. @param tell is called with each. */
export async function lines(path: string, body: unknown, tell: (line: never) => void): Promise<Failed | undefined> {
  const response = await send(path, body)
  if (response === undefined) return GONE
  if (!response.ok || response.body === null) return { ...FAULT, detail: `${response.status}` }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }))
    if (done) return rest === '' ? undefined : GONE
    const parts = `${rest}${value}`.split('\n')
    rest = parts.pop() ?? ''
    for (const line of parts) if (line !== '') tell(JSON.parse(line) as never)
  }
}

/**
 * Tells the program that a page is open, for as long as it is. One tab does so for all of this browser: a browser has
 * six connections to a server, and each would hold one.
 */
export async function stayOpen(): Promise<void> {
  if (connection.value === 'there') await navigator.locks.request('ghostport-page-open', holdOn)
}

async function holdOn(): Promise<void> {
  for (let tries = 0; tries < 3 && connection.value === 'there'; ) {
    const response = await send('/api/alive', undefined)
    if (response?.body == null) {
      tries++
      await new Promise((resolve) => setTimeout(resolve, 500))
      continue
    }
    tries = 0
    const reader = response.body.getReader()
    while (!(await reader.read().catch(() => ({ done: true }))).done);
  }
  if (connection.value === 'there') connection.value = 'gone'
}

async function send(path: string, body: unknown): Promise<Response | undefined> {
  try {
    const response = await fetch(path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      cache: 'no-store',
      credentials: 'omit',
    })
    if (response.status === 401) connection.value = 'strange'
    return response
  } catch {
    // The program has ended, or the page is left just now.
    if (path !== '/api/alive' && connection.value === 'there') connection.value = 'gone'
    return undefined
  }
}
