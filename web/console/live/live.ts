/** The stream as the views see it. */
import { signal } from '@preact/signals'
import { now } from '../../shared/now.ts'
import { type LinkState, startStream } from './share.ts'
import { applied, type Counts, counted, type Live, NOTHING, summaryOf } from './state.ts'

export const live = signal<Live>(NOTHING)
export const link = signal<LinkState>('connecting')
/** What screen readers are told, at most every ten seconds. */
export const said = signal('')
/** Whether they are told at all. */
export const saysSummaries = signal(true)

const NONE: Counts = { granted: 0, refused: 0, other: 0 }
const BETWEEN_SUMMARIES = 10_000
let counts = NONE
let timer: ReturnType<typeof setInterval> | undefined
let end: (() => void) | undefined

export function startLive(): void {
  stopLive()
  end = startStream({
    known: () => live.peek(),
    takeAll: (all) => {
      live.value = all
    },
    take: (message) => {
      // What was before is not read out.
      if (message.event === 'events' && live.peek().isKnown) counts = counted(counts, message.data.events)
      live.value = applied(live.peek(), message, Date.now())
    },
    link: (state) => {
      link.value = state
    },
  })
  timer = setInterval(() => {
    const summary = summaryOf(counts)
    counts = NONE
    if (saysSummaries.value && summary !== '') said.value = `In the last seconds: ${summary}.`
    else if (summary === '') said.value = ''
  }, BETWEEN_SUMMARIES)
}

export function stopLive(): void {
  end?.()
  end = undefined
  clearInterval(timer)
  live.value = NOTHING
  link.value = 'connecting'
  counts = NONE
  said.value = ''
}

/** Milliseconds until a time of the server, by this clock, once a second. */
export function left(until: string): number {
  return Date.parse(until) - (now.value + live.value.ahead)
}
