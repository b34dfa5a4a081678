/** Who asks: a route of the console says which role it needs, and gets the session, or answers by itself. */
import { type Clock, monotonic } from '../clock.ts'
import type { ConsoleActor } from '../daemon/link/console-protocol.ts'
import { type HttpReply, type HttpRequest, jsonReply, type Route, route } from '../http-server/route.ts'
import type { Reader } from '../json-reader.ts'
import type { IpAddress } from '../packet/address.ts'
import type { Milliseconds } from '../units.ts'
import { type Account, hasFactor, mayAct, type Role } from './account.ts'
import type { AccountBook } from './account-book.ts'
import { refusal, sessionEnded } from './answers.ts'
import type { Session, Sessions } from './sessions.ts'

/** Who asks, as far as a handler needs it. */
export interface Asking {
  readonly session: Session
  readonly account: Account
  readonly token: string
  /** For the audit log of the server. */
  readonly by: ConsoleActor
  readonly now: Milliseconds
}

type Handle<Body> = (request: HttpRequest<Body>, asking: Asking) => HttpReply | Promise<HttpReply>

/** What a route asks of its caller besides a role. */
export interface Needs {
  /** A second factor in the last minutes. */
  readonly stepUp?: boolean
  readonly query?: readonly string[]
  /** Bytes of the body. */
  readonly most?: number
}

const MOST_BODY = 16 * 1024

export class Gatekeeper {
  readonly #book: AccountBook
  readonly #sessions: Sessions

  constructor(book: AccountBook, sessions: Sessions) {
    this.#book = book
    this.#sessions = sessions
  }

  /** Whether a session that began may go on. */
  isGood(session: Session): boolean {
    return this.#sessions.accountOf(session, monotonic(), (name) => this.#book.find(name)) !== undefined
  }

  get(path: string, role: Role, handle: Handle<undefined>, needs: Needs = {}): Route {
    return route<undefined>({
      method: 'GET',
      path,
      from: 'own',
      body: { kind: 'none' },
      query: needs.query ?? [],
      handle: (request) => this.#admit(request, role, needs, handle),
    })
  }

  post<Body>(path: string, role: Role, read: Reader<Body>, handle: Handle<Body>, needs: Needs = {}): Route {
    return route<Body>({
      method: 'POST',
      path,
      from: 'own',
      body: { kind: 'json', read, most: needs.most ?? MOST_BODY },
      handle: (request) => this.#admit(request, role, needs, handle),
    })
  }

  #admit<Body>(
    request: HttpRequest<Body>,
    role: Role,
    needs: Needs,
    handle: Handle<Body>,
  ): HttpReply | Promise<HttpReply> {
    const now = monotonic()
    const token = bearerOf(request.header('authorization'))
    const found = token === undefined ? undefined : this.#sessions.of(token, now, (name) => this.#book.find(name))
    if (token === undefined || found === undefined) return sessionEnded()
    const { session, account } = found
    if (!mayAct(account.role, role))
      return refusal(403, 'ROLE_TOO_LOW', `This needs the role “${role}”, and you have “${account.role}”.`)
    if (needs.stepUp === true && !session.isSteppedUp(now))
      return hasFactor(account)
        ? refusal(403, 'STEP_UP_NEEDED', 'Confirm this with your second factor.')
        : refusal(403, 'NO_SECOND_FACTOR', 'This needs a second factor, and your account has none. Add one first.')
    return handle(request, { session, account, token, by: actorOf(account, request.source), now })
  }
}

/** As the server's socket takes it. */
function actorOf({ name }: Account, source: IpAddress | undefined): ConsoleActor {
  return { name, ...(source !== undefined && { from: source }) }
}

/** 32 bytes in base64url: nothing else is even looked for. */
export function bearerOf(header: string | undefined): string | undefined {
  return /^Bearer ([A-Za-z0-9_-]{43})$/i.exec(header ?? '')?.[1]
}

/** A session as its page sees it. */
export function sessionAnswer(
  { session, account }: Pick<Asking, 'session' | 'account'>,
  clock: Clock,
  now: Milliseconds,
): object {
  const at = (time: Milliseconds): string => new Date((clock.now() + (time - now) / 1000) * 1000).toISOString()
  return {
    account: accountAnswer(account),
    stepUpUntil: session.isSteppedUp(now) && session.stepUpUntil !== undefined ? at(session.stepUpUntil) : null,
    endsAt: at(session.endsAt),
  }
}

export function accountAnswer(account: Account): object {
  const { name, role, totp, passkeys } = account
  return {
    ...{ name, role },
    totp: totp !== undefined,
    passkeys: passkeys.map(({ id, name, added }) => ({ id, name, added: new Date(added * 1000).toISOString() })),
    factors: hasFactor(account),
  }
}

export const replyDone = (more: object = {}): HttpReply => jsonReply(200, { done: true, ...more })
