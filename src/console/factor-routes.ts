/** Second factors: an app for codes, and passkeys. How they are added, removed, and used for a login or a step-up. */
import { randomBytes } from 'node:crypto'
import { type Clock, monotonic } from '../clock.ts'
import type { AccountDeed } from '../daemon/link/console-protocol.ts'
import { type HttpReply, type HttpRequest, jsonReply, type Route, route } from '../http-server/route.ts'
import { base32, checkTotp, TOTP_SECRET_LENGTH, totpUri } from '../http-server/totp.ts'
import { mapped, record, text } from '../json-reader.ts'
import { ok, refuse } from '../result.ts'
import { type Account, type AccountNameText, hasFactor, MOST_PASSKEYS } from './account.ts'
import type { AccountBook } from './account-book.ts'
import type { NoteDeed } from './account-notes.ts'
import { failureReply, refusal } from './answers.ts'
import { type Asking, accountAnswer, type Gatekeeper, sessionAnswer } from './gatekeeper.ts'
import type { Login, LoginOutcome } from './login.ts'
import {
  type Assertion,
  CHALLENGE_TIME,
  Challenges,
  type ChallengeUse,
  EDDSA,
  ES256,
  judgeAssertion,
  judgeRegistration,
  RS256,
  readAssertion,
  readRegistration,
  type Site,
  siteOf,
} from './passkeys.ts'
import { ENROL_TIME, type Session, type Sessions } from './sessions.ts'

export interface FactorParts {
  readonly book: AccountBook
  readonly sessions: Sessions
  readonly login: Login
  readonly clock: Clock
  readonly loginReply: (
    outcome: LoginOutcome,
    sessions: Sessions,
    tell: (did: AccountDeed, name: AccountNameText | undefined) => void,
  ) => HttpReply
  /** For the log of the console, and the audit log of the server. */
  readonly tell: NoteDeed
}

const id = text({ max: 100 })
const readNothing = record({}, {})
const readCode = record({ totp: text({ max: 20 }) }, {})
const readProof = record({ id, credential: readAssertion }, {})
const readStepUp = record({}, { totp: text({ max: 20 }), id, credential: readAssertion })
const readNewPasskey = record(
  {
    id,
    name: mapped(text({ max: 64 }), (read) => (/^[\x20-\x7e]+$/.test(read) ? read : undefined)),
    credential: readRegistration,
  },
  {},
)
const readPasskeyId = record({ id: text({ max: 1_400 }) }, {})
const MOST_BODY = 30_000

export function factorRoutes(parts: FactorParts, gate: Gatekeeper): readonly Route[] {
  const challenges = new Challenges()
  return [
    ...passkeyLogin(parts, challenges),
    ...stepUpRoutes(parts, gate, challenges),
    ...totpRoutes(parts, gate),
    ...passkeyRoutes(parts, gate, challenges),
  ]
}

const LOGIN: ChallengeUse = { use: 'login', account: '' }

function passkeyLogin(
  { book, sessions, login, loginReply, tell }: FactorParts,
  challenges: Challenges,
): readonly Route[] {
  const find = (given: Assertion): Account | undefined => {
    const accounts = book.read()
    const found = accounts.ok
      ? accounts.value.find(({ passkeys }) => passkeys.some((one) => one.id === given.id))
      : undefined
    return given.userHandle === undefined || given.userHandle === found?.id ? found : undefined
  }
  return [
    route({
      method: 'POST',
      path: '/v1/session/passkey/options',
      from: 'own',
      body: { kind: 'json', read: readNothing, most: 100 },
      handle: (request) => jsonReply(200, useOptions(challenges, LOGIN, siteIn(request))),
    }),
    route({
      method: 'POST',
      path: '/v1/session/passkey',
      from: 'own',
      body: { kind: 'json', read: readProof, most: MOST_BODY },
      async handle(request) {
        const { body, source } = request
        const outcome = await login.inTime(source, async (): Promise<LoginOutcome> => {
          const account = find(body.credential)
          const proven = account && (await prove(book, account.name, body, siteIn(request), challenges, LOGIN))
          return proven === undefined
            ? { kind: 'refused', ...(account !== undefined && { name: account.name }) }
            : { kind: 'in', account: proven, way: 'factor' }
        })
        return loginReply(outcome, sessions, (did, name) => tell(did, name, source))
      },
    }),
  ]
}

function stepUpRoutes(
  { book, login, clock, tell }: FactorParts,
  gate: Gatekeeper,
  challenges: Challenges,
): readonly Route[] {
  const use = ({ account }: Asking): ChallengeUse => ({ use: 'step-up', account: account.id })
  return [
    gate.post('/v1/step-up/passkey/options', 'viewer', readNothing, (request, asking) =>
      jsonReply(200, {
        ...useOptions(challenges, use(asking), siteIn(request)),
        allowCredentials: asking.account.passkeys.map(({ id }) => ({ id })),
      }),
    ),
    gate.post('/v1/step-up', 'viewer', readStepUp, async (request, asking) => {
      const { account, session } = asking
      const { totp, id, credential } = request.body
      if (!hasFactor(account))
        return refusal(403, 'NO_SECOND_FACTOR', 'Your account has no second factor. Add one first.')
      const isProven =
        totp !== undefined
          ? await login.byCode(account.name, totp)
          : id !== undefined &&
            credential !== undefined &&
            (await prove(book, account.name, { id, credential }, siteIn(request), challenges, use(asking))) !==
              undefined
      if (!isProven) {
        tell('step-up refused', account.name, request.source)
        return refusal(401, 'STEP_UP_REFUSED', 'The code or the passkey is not right, or was used already.')
      }
      const now = monotonic()
      session.steppedUp(now)
      return jsonReply(200, sessionAnswer(asking, clock, now))
    }),
  ]
}

function totpRoutes({ book, clock, sessions, tell }: FactorParts, gate: Gatekeeper): readonly Route[] {
  /** Secrets that wait for their first code. They go with their session. */
  const waiting = new WeakMap<Session, Uint8Array>()
  return [
    gate.post('/v1/account/totp', 'viewer', readNothing, (request, asking) => {
      const refused = whyNoFactor(asking)
      if (refused !== undefined) return refused
      const secret = randomBytes(TOTP_SECRET_LENGTH)
      waiting.set(asking.session, secret)
      return jsonReply(200, { secret: base32(secret), uri: totpUri(secret, asking.account.name, siteIn(request).rpId) })
    }),
    gate.post('/v1/account/totp/confirm', 'viewer', readCode, async ({ body, source }, asking) => {
      const { session, account } = asking
      const refused = whyNoFactor(asking)
      if (refused !== undefined) return refused
      const secret = waiting.get(session)
      const code = body.totp.replaceAll(/[\s-]/g, '')
      const step = secret === undefined ? undefined : checkTotp(secret, code, clock.now(), 0)
      if (secret === undefined || step === undefined)
        return refusal(400, 'TOTP_WRONG', 'This is not the code of the app. If it is right, compare the clocks.')
      const totp = { secret: Buffer.from(secret).toString('base64url'), used: step }
      const changed = await book.changeOne(account.name, (one) => ok({ ...one, totp }))
      if (!changed.ok) return failureReply(changed.failure)
      waiting.delete(session)
      session.steppedUp(monotonic())
      tell('app for codes added', account.name, source)
      return jsonReply(200, { account: accountAnswer(changed.value) })
    }),
    gate.post(
      '/v1/account/totp/remove',
      'viewer',
      readNothing,
      async ({ source }, { account, token }) => {
        const changed = await book.changeOne(account.name, ({ totp: _, ...one }) => ok(one))
        if (!changed.ok) return failureReply(changed.failure)
        sessions.endOthers(account, token)
        tell('app for codes removed', account.name, source)
        return jsonReply(200, { account: accountAnswer(changed.value) })
      },
      { stepUp: true },
    ),
  ]
}

function passkeyRoutes(
  { book, clock, sessions, tell }: FactorParts,
  gate: Gatekeeper,
  challenges: Challenges,
): readonly Route[] {
  const use = ({ account }: Asking): ChallengeUse => ({ use: 'register', account: account.id })
  return [
    gate.post('/v1/account/passkeys/options', 'viewer', readNothing, (request, asking) => {
      const refused = whyNoFactor(asking)
      if (refused !== undefined) return refused
      const { account } = asking
      const site = siteIn(request)
      return jsonReply(200, {
        ...challenges.issue(use(asking), monotonic()),
        rp: { id: site.rpId, name: `ghostport console, ${site.rpId}` },
        user: { id: account.id, name: account.name, displayName: account.name },
        pubKeyCredParams: [ES256, EDDSA, RS256].map((alg) => ({ type: 'public-key', alg })),
        excludeCredentials: account.passkeys.map(({ id }) => ({ id })),
        timeout: CHALLENGE_TIME,
      })
    }),
    gate.post(
      '/v1/account/passkeys',
      'viewer',
      readNewPasskey,
      async (request, asking) => {
        const refused = whyNoFactor(asking)
        if (refused !== undefined) return refused
        const { id, name, credential } = request.body
        const { account, session } = asking
        const made = judgeRegistration(credential, siteIn(request), (challenge) =>
          challenges.take(id, challenge, use(asking), monotonic()),
        )
        if (made === undefined)
          return refusal(400, 'PASSKEY_REFUSED', 'The browser gave no passkey that can be used here.')
        let isKnown = false
        const changed = await book.changeOne(account.name, (one, all) => {
          // Another account's, too: then its passkey would log in to this one.
          isKnown = all.some(({ passkeys }) => passkeys.some((known) => known.id === made.id))
          if (isKnown) return refuse('VALUE_INVALID', 'this passkey is known already')
          return one.passkeys.length >= MOST_PASSKEYS
            ? refuse('VALUE_INVALID', `an account has at most ${MOST_PASSKEYS} passkeys`)
            : ok({ ...one, passkeys: [...one.passkeys, { ...made, name, added: clock.now() }] })
        })
        if (isKnown) return refusal(400, 'PASSKEY_REFUSED', 'This passkey is known already.')
        if (!changed.ok) return failureReply(changed.failure)
        session.steppedUp(monotonic())
        tell('passkey added', account.name, request.source)
        return jsonReply(200, { account: accountAnswer(changed.value) })
      },
      MOST_BODY_NEEDS,
    ),
    gate.post(
      '/v1/account/passkeys/remove',
      'viewer',
      readPasskeyId,
      async ({ body, source }, { account, token }) => {
        const changed = await book.changeOne(account.name, (one) =>
          one.passkeys.some(({ id }) => id === body.id)
            ? ok({ ...one, passkeys: one.passkeys.filter(({ id }) => id !== body.id) })
            : refuse('USER_UNKNOWN', 'there is no such passkey'),
        )
        if (!changed.ok) return failureReply(changed.failure)
        sessions.endOthers(account, token)
        tell('passkey removed', account.name, source)
        return jsonReply(200, { account: accountAnswer(changed.value) })
      },
      { stepUp: true },
    ),
  ]
}

const MOST_BODY_NEEDS = { most: MOST_BODY } as const

/** Whether a factor may be added now. @returns why not. */
function whyNoFactor({ account, session, now }: Asking): HttpReply | undefined {
  if (session.isSteppedUp(now)) return undefined
  if (hasFactor(account)) return refusal(403, 'STEP_UP_NEEDED', 'Confirm this with the second factor that you have.')
  if (now - session.began < ENROL_TIME) return undefined
  return refusal(403, 'ENROL_TIME_OVER', 'A first factor can be added in the 10 minutes after a login. Log in again.')
}

function useOptions(challenges: Challenges, what: ChallengeUse, { rpId }: Site): object {
  return { ...challenges.issue(what, monotonic()), rpId, timeout: CHALLENGE_TIME }
}

/** @returns the account with the new counter of the passkey; undefined if it proves nothing. */
async function prove(
  book: AccountBook,
  name: string,
  { id, credential }: { readonly id: string; readonly credential: Assertion },
  site: Site,
  challenges: Challenges,
  what: ChallengeUse,
): Promise<Account | undefined> {
  const changed = await book.changeOne(name, (account) => {
    const at = account.passkeys.findIndex((one) => one.id === credential.id)
    const passkey = account.passkeys[at]
    const counter =
      passkey &&
      judgeAssertion(credential, passkey, site, (challenge) => challenges.take(id, challenge, what, monotonic()))
    if (passkey === undefined || counter === undefined) return refuse('VALUE_INVALID', 'not a proof')
    return ok({ ...account, passkeys: account.passkeys.with(at, { ...passkey, counter }) })
  })
  return changed.ok ? changed.value : undefined
}

function siteIn(request: Pick<HttpRequest<unknown>, 'header' | 'secure'>): Site {
  return siteOf(request.header('host') ?? '', request.secure)
}
