/** What the console answers (docs/CONSOLE.md § The interface). Each change goes to the server, with who asked. */
import { type Clock, monotonic } from '../clock.ts'
import type { AccountDeed, ConsoleRequest } from '../daemon/link/console-protocol.ts'
import { type HttpReply, jsonReply, type Route, route } from '../http-server/route.ts'
import { integer, mapped, record, text } from '../json-reader.ts'
import { seconds } from '../units.ts'
import type { AccountNameText } from './account.ts'
import type { AccountBook } from './account-book.ts'
import type { NoteDeed } from './account-notes.ts'
import { failureReply, refusal } from './answers.ts'
import { factorRoutes } from './factor-routes.ts'
import { accountAnswer, Gatekeeper, replyDone, sessionAnswer } from './gatekeeper.ts'
import type { History } from './history.ts'
import { historyRoutes } from './history-routes.ts'
import type { Login, LoginOutcome } from './login.ts'
import type { ServerLine } from './server-line.ts'
import type { ServerWatch } from './server-watch.ts'
import type { Sessions } from './sessions.ts'
import { tellPage } from './stream.ts'
import { userRoutes } from './user-routes.ts'

export interface ConsoleParts {
  readonly book: AccountBook
  readonly sessions: Sessions
  readonly login: Login
  /** There from the second step on: before, nothing is answered. */
  readonly watch: () => ServerWatch
  readonly history: () => History
  readonly line: ServerLine
  readonly looks: ServerLine
  readonly clock: Clock
  /** For the log of the console, and the audit log of the server. */
  readonly tell: NoteDeed
}

const MOST_STREAMS = 64
const MOST_STREAMS_OF_ACCOUNT = 8
const HINT = 'as root: ghostport console login NAME'

const readLink = record({ link: text({ max: 100 }) }, { totp: text({ max: 20 }) })
const readNothing = record({}, {})
const readGrant = record({ grant: text({ max: 20 }) }, {})
const readExtension = record(
  { grant: text({ max: 20 }), seconds: mapped(integer({ min: 1, max: 86_400 }), seconds) },
  {},
)
const readWord = record({ word: text({ max: 200 }) }, {})

export function consoleRoutes(parts: ConsoleParts): readonly Route[] {
  const gate = new Gatekeeper(parts.book, parts.sessions)
  return [
    ...loginRoutes(parts, gate),
    ...factorRoutes({ ...parts, loginReply }, gate),
    streamRoute(parts, gate),
    ...grantRoutes(parts, gate),
    ...historyRoutes(parts.history, gate),
    ...userRoutes({ ...parts, wall: () => new Date() }, gate),
  ]
}

function loginRoutes({ sessions, login, clock, tell }: ConsoleParts, gate: Gatekeeper): readonly Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/session',
      from: 'own',
      body: { kind: 'json', read: readLink, most: 1_000 },
      async handle({ body: { link, totp }, source }) {
        return loginReply(await login.byLink(link, totp, source), sessions, (did, name) => tell(did, name, source))
      },
    }),
    gate.get('/v1/session', 'viewer', (_request, asking) => jsonReply(200, sessionAnswer(asking, clock, asking.now))),
    gate.post('/v1/session/end', 'viewer', readNothing, (_request, { token }) => {
      sessions.end(token)
      return replyDone()
    }),
  ]
}

export function loginReply(
  outcome: LoginOutcome,
  sessions: Sessions,
  tell: (did: AccountDeed, name: AccountNameText | undefined) => void,
): HttpReply {
  if (outcome.kind === 'code needed')
    return refusal(401, 'TOTP_NEEDED', 'Type the code that your app shows. The link stays good.')
  if (outcome.kind !== 'in') {
    tell('login refused', outcome.name)
    return refusal(
      401,
      'LOGIN_REFUSED',
      'This login is not good: it was used, it has ended, or the code is wrong.',
      HINT,
    )
  }
  tell(outcome.way === 'factor' ? 'login by second factor' : 'login by link', outcome.account.name)
  const { token } = sessions.begin(outcome.account, outcome.way, monotonic())
  return jsonReply(200, { token, account: accountAnswer(outcome.account) })
}

function streamRoute({ watch }: ConsoleParts, gate: Gatekeeper): Route {
  /** Each open stream, and whose it is. */
  const open = new Map<symbol, string>()
  return gate.get('/v1/stream', 'viewer', ({ header, signal }, { session, account }) => {
    const own = [...open.values()].filter((id) => id === account.id).length
    if (open.size >= MOST_STREAMS || own >= MOST_STREAMS_OF_ACCOUNT)
      return refusal(429, 'TOO_MANY', 'Too many pages of the console are open. Close one.')
    const lastEvent = /^[0-9]{1,15}$/.exec(header('last-event-id') ?? '')?.[0]
    return {
      status: 200,
      headers: { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' },
      async stream(write) {
        const entry = Symbol('stream')
        open.set(entry, account.id)
        try {
          await tellPage(write, {
            watch: watch(),
            signal: AbortSignal.any([signal, session.signal]),
            isAllowed: () => gate.isGood(session),
            monotonic,
            wall: () => new Date(),
            lastEvent: lastEvent === undefined ? undefined : Number(lastEvent),
          })
        } finally {
          open.delete(entry)
        }
      },
    }
  })
}

function grantRoutes({ line, watch }: ConsoleParts, gate: Gatekeeper): readonly Route[] {
  const change = async (request: ConsoleRequest): Promise<HttpReply> => {
    const answer = await line.ask(request)
    if (!answer.ok) return failureReply(answer.failure)
    watch().look()
    return replyDone(typeof answer.value === 'object' && answer.value !== null ? answer.value : {})
  }
  return [
    gate.post('/v1/grants/revoke', 'operator', readGrant, ({ body }, { by }) =>
      /^g:[0-9a-f]{8}$/.test(body.grant)
        ? change({ ask: 'revoke', word: body.grant, by })
        : refusal(400, 'VALUE_INVALID', 'This is not the id of a grant.'),
    ),
    gate.post('/v1/grants/extend', 'operator', readExtension, ({ body }, { by }) =>
      change({ ask: 'extend', ...body, by }),
    ),
    gate.post('/v1/revoke', 'operator', readWord, ({ body }, { by }) => change({ ask: 'revoke', word: body.word, by })),
    gate.post('/v1/reload', 'administrator', readNothing, async (_request, { by }) => {
      const answer = await line.ask({ ask: 'reload', by })
      return answer.ok ? jsonReply(200, reloadAnswer(answer.value)) : failureReply(answer.failure)
    }),
  ]
}

/** Whether the new configuration is in force, and if not, why. */
function reloadAnswer(value: unknown): object {
  if (typeof value !== 'object' || value === null) return { inForce: false, problems: [] }
  const { taken, ...told } = value as { readonly taken?: unknown }
  return { inForce: taken === true, problems: taken === true ? [] : [told] }
}
