/**
 * One stream for all tabs of this browser: a browser has six connections to a server, and each stream holds one. The
 * tab that has the lock reads the stream and passes on what comes. When it is closed, another one takes over.
 */
import { ended, get, type HistoryPage, send, token } from '../api.ts'
import { SseReader } from './sse.ts'
import type { Live, StreamMessage } from './state.ts'

/** `retrying`: the connection was lost, and is tried again. */
export type LinkState = 'connecting' | 'live' | 'retrying'

/** What tabs say to each other. */
type Said =
  | { readonly say: 'message'; readonly message: StreamMessage }
  | { readonly say: 'link'; readonly state: LinkState }
  | { readonly say: 'what is known' }
  | { readonly say: 'known'; readonly live: Live; readonly state: LinkState }

export interface StreamUser {
  take(message: StreamMessage): void
  /** From a tab that has read for longer. */
  takeAll(live: Live): void
  known(): Live
  link(state: LinkState): void
}

const LOCK = 'ghostport-console-stream'
const CHANNEL = 'ghostport-console-stream'
/** Milliseconds before a connection is tried again: longer each time. */
const PAUSES = [500, 1000, 2000, 5000, 10_000]

/** Events of before that a page begins with. */
const BEFORE = 100

/** @returns a function that ends it. */
export function startStream(user: StreamUser): () => void {
  const stop = new AbortController()
  const channel = new BroadcastChannel(CHANNEL)
  let leads = false
  let state: LinkState = 'connecting'
  const setLink = (next: LinkState): void => {
    state = next
    user.link(next)
    if (leads) channel.postMessage({ say: 'link', state: next } satisfies Said)
  }
  channel.onmessage = ({ data }: MessageEvent<Said>) => {
    if (leads) {
      if (data.say === 'what is known' && user.known().isKnown)
        channel.postMessage({ say: 'known', live: user.known(), state } satisfies Said)
      return
    }
    if (data.say === 'message') {
      // What this tab has missed is asked for first.
      if (user.known().isKnown || data.message.event === 'hello') user.take(data.message)
    } else if (data.say === 'link') user.link(data.state)
    else if (data.say === 'known' && !user.known().isKnown) {
      user.takeAll(data.live)
      user.link(data.state)
    }
  }
  channel.postMessage({ say: 'what is known' } satisfies Said)
  const lead = async (): Promise<void> => {
    leads = true
    await readOn(stop.signal, setLink, user, (message) => {
      user.take(message)
      channel.postMessage({ say: 'message', message } satisfies Said)
    })
  }
  navigator.locks.request(LOCK, { signal: stop.signal }, lead).catch(() => {
    // The signal came before the lock.
  })
  return () => {
    stop.abort()
    channel.close()
  }
}

/** Reads the stream until the signal, and connects again when it breaks. */
async function readOn(
  signal: AbortSignal,
  link: (state: LinkState) => void,
  user: StreamUser,
  take: (message: StreamMessage) => void,
): Promise<void> {
  if (user.known().events.length === 0) {
    // The page begins with what happened before it was opened.
    const past = await get<HistoryPage>(`/v1/history?limit=${BEFORE}`)
    if (past.ok && !signal.aborted) take({ event: 'events', data: { events: past.value.events } })
  }
  for (let tries = 0; !signal.aborted; ) {
    const lastEvent = user.known().events[0]?.event.id
    const response = await send('GET', '/v1/stream', undefined, {
      signal,
      headers: lastEvent === undefined ? {} : { 'last-event-id': String(lastEvent) },
    })
    if (signal.aborted) return
    if (response?.status === 401) return ended.tell('Your session has ended.')
    if (response?.ok === true && response.body !== null) {
      link('live')
      tries = 0
      await readBody(response.body, take)
      if (signal.aborted || token.value === undefined) return
    }
    link('retrying')
    await pause(PAUSES[Math.min(tries++, PAUSES.length - 1)] ?? 0, signal)
  }
}

async function readBody(body: ReadableStream<Uint8Array>, take: (message: StreamMessage) => void): Promise<void> {
  const decoder = new TextDecoder()
  const reader = body.getReader()
  const messages = new SseReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      for (const { event, data } of messages.push(decoder.decode(value, { stream: true }))) {
        const message = { event, data: JSON.parse(data) } as StreamMessage
        if (message.event === 'bye') return ended.tell('Your session has ended.')
        take(message)
      }
    }
  } catch {
    // Broken off, or not understood: a new connection begins from what is known.
    await reader.cancel().catch(() => {})
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
