/** What was: the history by pages, as a file, and refusals over time. */
import { setImmediate } from 'node:timers/promises'
import { type HttpReply, type HttpRequest, Incomplete, jsonReply, type Route } from '../http-server/route.ts'
import { milliseconds } from '../units.ts'
import { refusal } from './answers.ts'
import { CSV_HEAD, type ExportFormat, exportLine } from './export.ts'
import type { Asking, Gatekeeper } from './gatekeeper.ts'
import { type History, WINDOW } from './history.ts'
import { FILTER_FIELDS, fits, pageOf, readFilter, sumRefusals } from './history-query.ts'

const MOST_EVENTS = 500
const USUAL_EVENTS = 100
const MOST_EXPORTS = 2
/** How long a visitor may take to read one piece. */
const READ_TIME = milliseconds(30_000)
/** Events that are written at once. */
const PIECE = 200
const MOST_STEPS = 1_000
const USUAL_STEP = 3_600
const DAY = 86_400_000

export function historyRoutes(history: () => History, gate: Gatekeeper): readonly Route[] {
  let exports = 0
  let sums = 0
  const badQuery = (what: string): HttpReply => refusal(400, 'VALUE_INVALID', what)

  const page = async ({ query }: HttpRequest<undefined>): Promise<HttpReply> => {
    const filter = readFilter(query)
    const before = wholeNumber(query.get('before'), Number.MAX_SAFE_INTEGER)
    const limit = wholeNumber(query.get('limit'), USUAL_EVENTS)
    if (filter === undefined || before === undefined || limit === undefined || limit < 1 || limit > MOST_EVENTS)
      return badQuery('A field of this search cannot be understood. Times look like 2026-01-31T08:00:00Z.')
    const { events, next } = await pageOf(history(), filter, before, limit)
    return jsonReply(200, { events, next: next ?? null, oldest: history().oldest?.at ?? null, kept: history().kept })
  }

  const exported = ({ query, signal }: HttpRequest<undefined>, { session }: Asking): HttpReply => {
    const filter = readFilter(query)
    const format = query.get('format')
    if (filter === undefined || (format !== 'csv' && format !== 'jsonl'))
      return badQuery('A field of this search cannot be understood, or the format is neither csv nor jsonl.')
    if (exports >= MOST_EXPORTS) return refusal(429, 'TOO_MANY', 'Other exports are being written. Try again later.')
    const headers = {
      'content-type': format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson',
      'content-disposition': `attachment; filename="ghostport-history.${format}"`,
    }
    return {
      status: 200,
      headers,
      async stream(write) {
        exports++
        try {
          await writeAll((text) => untilRead(write(text), session.signal), format)
        } catch (error) {
          // The page may leave at any time.
          if (!signal.aborted) throw error
        } finally {
          exports--
        }
      },
    }
    async function writeAll(write: (text: string) => Promise<void>, as: ExportFormat): Promise<void> {
      if (as === 'csv') await write(CSV_HEAD)
      let before = Number.MAX_SAFE_INTEGER
      for (;;) {
        if (signal.aborted || !gate.isGood(session)) throw new Incomplete('the session has ended')
        const rows = history().eventsBefore(before, WINDOW)
        const found = rows.filter((event) => fits(event, filter ?? {}))
        for (let at = 0; at < found.length; at += PIECE)
          await write(
            found
              .slice(at, at + PIECE)
              .map((event) => exportLine(event, as))
              .join(''),
          )
        before = rows.at(-1)?.id ?? 0
        if (rows.length < WINDOW) return
        await setImmediate()
      }
    }
  }

  const refusals = async ({ query }: HttpRequest<undefined>): Promise<HttpReply> => {
    const range = readFilter(query)
    const step = wholeNumber(query.get('step'), USUAL_STEP)
    const to = range?.to ?? Date.now()
    const from = range?.from ?? to - DAY
    if (range === undefined || step === undefined || step < 1 || from > to)
      return badQuery('The time or the step cannot be understood.')
    if ((to - from) / (step * 1000) > MOST_STEPS) return badQuery(`At most ${MOST_STEPS} steps are counted at once.`)
    if (sums >= MOST_EXPORTS) return refusal(429, 'TOO_MANY', 'Other sums are being counted. Try again.')
    sums++
    try {
      return jsonReply(200, await sumRefusals(history(), { from, to, step: step * 1000 }))
    } finally {
      sums--
    }
  }

  return [
    gate.get('/v1/history', 'viewer', page, { query: [...FILTER_FIELDS, 'before', 'limit'] }),
    gate.get('/v1/history/export', 'viewer', exported, { query: [...FILTER_FIELDS, 'format'] }),
    gate.get('/v1/refusals', 'viewer', refusals, { query: ['from', 'to', 'step'] }),
  ]
}

/** @throws Incomplete where it is not read in time, or the session ends meanwhile. */
async function untilRead(written: Promise<void>, session: AbortSignal): Promise<void> {
  let stop = (): void => {}
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(new Incomplete('the visitor does not read, or has logged out'))
  })
  const late = setTimeout(stop, READ_TIME)
  session.addEventListener('abort', stop)
  try {
    if (session.aborted) stop()
    await Promise.race([written, stopped])
  } finally {
    clearTimeout(late)
    session.removeEventListener('abort', stop)
  }
}

/** @returns undefined for a text that is no whole number. */
function wholeNumber(text: string | undefined, usual: number): number | undefined {
  if (text === undefined || text === '') return usual
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined
}
