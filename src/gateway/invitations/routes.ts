/**
 * Invitations at the gateway (docs/GATEWAY.md § Invitations). Visitors claim by a proof, and fetch what was sealed for
 * their device. Servers that have the token register, ask and deliver. What is sealed, the gateway cannot read.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type Clock, monotonic } from '../../clock.ts'
import { INVITE_PATH } from '../../config/client/invite-link.ts'
import { errorReply, type HttpReply, type HttpRequest, jsonReply, type Route, route } from '../../http-server/route.ts'
import { RateLimit, sourceOf } from '../../http-server/sources.ts'
import type { Reader } from '../../json-reader.ts'
import { invitationId } from '../../packet/web-invitation.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { milliseconds } from '../../units.ts'
import { claimedFrom, type HeldInvitations } from './held.ts'
import {
  MAX_CLAIM_BODY,
  MAX_SERVER_BODY,
  readAbout,
  readCancel,
  readClaim,
  readDeliver,
  readPoll,
  readRegister,
} from './requests.ts'

/** The little that differs between one invitation that is not good and another ends before the answer begins. */
const ANSWER_AFTER = milliseconds(25)
/** Of one source: claims and polls; requests with the token; requests with another token. */
const VISITS = { burst: 40, perSecond: 0.5 } as const
const ASKED = { burst: 200, perSecond: 5 } as const
const WRONG = { burst: 10, perSecond: 1 / 30 } as const
const SHORTEST_TOKEN = 32
const LONGEST_TOKEN = 200

/** SHA-256 of the token. */
export type TokenHash = Uint8Array

/** @param text of INVITATION_TOKEN_FILE. @returns KEY_INVALID for one that could be guessed. */
export function hashToken(file: string, text: string): Result<TokenHash, Failure<'KEY_INVALID'>> {
  const token = text.trim()
  return /^[\x21-\x7e]+$/.test(token) && token.length >= SHORTEST_TOKEN && token.length <= LONGEST_TOKEN
    ? ok(sha256(token))
    : refuse(
        'KEY_INVALID',
        `${file}: the token is one line of ${SHORTEST_TOKEN} to ${LONGEST_TOKEN} characters without blanks`,
        { suggestion: `openssl rand -base64 32 > ${file}` },
      )
}

function sha256(text: string): Uint8Array {
  return createHash('sha256').update(text).digest()
}

export function invitationRoutes(held: HeldInvitations, token: TokenHash, clock: Clock): readonly Route[] {
  const visits = new RateLimit(VISITS.burst, VISITS.perSecond)
  const asked = new RateLimit(ASKED.burst, ASKED.perSecond)
  const wrong = new RateLimit(WRONG.burst, WRONG.perSecond)

  /** Alike for what was never registered, is used, has ended or was cancelled. */
  const ended = (): HttpReply => errorReply(410, 'invitation')
  const visit = <Body>(path: string, read: Reader<Body>, answer: (request: HttpRequest<Body>) => HttpReply) =>
    route({
      method: 'POST',
      path,
      from: 'named',
      body: { kind: 'json', most: MAX_CLAIM_BODY, read },
      async handle(request) {
        if (!visits.take(sourceOf(request.source), monotonic()))
          return errorReply(429, 'invitations', { 'retry-after': `${Math.ceil(1 / VISITS.perSecond)}` })
        const reply = answer(request)
        await delay(ANSWER_AFTER)
        return reply
      },
    })

  const claim = visit('/v1/invitation/claim', readClaim, ({ body: { proof, device, tag }, source }) => {
    const became = held.claim(invitationId(proof), { device, tag, ...claimedFrom(source) }, clock.now())
    if (became === 'claimed') return jsonReply(200, { state: 'claimed' })
    return became === 'ended' ? ended() : errorReply(503, 'storage')
  })

  const poll = visit('/v1/invitation/poll', readPoll, ({ body: { proof, device } }) => {
    const found = held.poll(invitationId(proof), device, clock.now())
    if (found === 'ended') return ended()
    return jsonReply(200, found.sealed === undefined ? { state: 'waiting' } : { state: 'ready', sealed: found.sealed })
  })

  const server = <Body>(path: string, read: Reader<Body>, answer: (body: Body) => HttpReply) =>
    route({
      method: 'POST',
      path,
      from: 'own',
      body: { kind: 'json', most: MAX_SERVER_BODY, read },
      handle(request) {
        const source = sourceOf(request.source)
        if (!asked.take(source, monotonic())) return errorReply(429, 'invitations', { 'retry-after': '60' })
        if (!isToken(request.header('authorization'), token))
          return wrong.take(source, monotonic()) ? errorReply(401, 'token') : errorReply(429, 'token')
        return answer(request.body)
      },
    })

  const register = server('/v1/invitations/register', readRegister, ({ id, key, until }) => {
    switch (held.register(id, key, until, clock.now())) {
      case 'held':
        return jsonReply(201, { state: 'open' })
      case 'taken':
        return errorReply(409, 'taken')
      case 'full':
        return errorReply(507, 'full')
      case 'too long':
        return errorReply(422, 'until')
      case 'not kept':
        return errorReply(503, 'storage')
    }
  })

  const about = server('/v1/invitations/about', readAbout, ({ invitations }) =>
    jsonReply(200, { invitations: invitations.map(({ id, key }) => ({ id, ...held.about(id, key) })) }),
  )

  const deliver = server('/v1/invitations/deliver', readDeliver, ({ id, key, device, sealed }) => {
    const became = held.deliver(id, key, device, sealed)
    if (became === 'delivered') return jsonReply(200, { state: 'delivered' })
    return became === 'unknown' ? ended() : errorReply(503, 'storage')
  })

  const cancel = server('/v1/invitations/cancel', readCancel, ({ id, key }) =>
    held.cancel(id, key) ? jsonReply(200, { state: 'cancelled' }) : ended(),
  )

  return [claim, poll, register, about, deliver, cancel]
}

function isToken(header: string | undefined, token: TokenHash): boolean {
  const [, given] = /^Bearer ([\x21-\x7e]{1,200})$/.exec(header ?? '') ?? []
  return given !== undefined && timingSafeEqual(sha256(given), token)
}

/** What the link of an invitation shows where this package has no page. It spends nothing. */
export function invitationNote(): Route {
  return route({
    method: 'GET',
    path: INVITE_PATH,
    from: 'own',
    body: { kind: 'none' },
    handle: () => ({
      status: 200,
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      body: 'This is an invitation to ghostport. This gateway has no page. On a computer with ghostport, run:\n\n    ghostport client add\n\nand paste the whole link.\n',
    }),
  })
}
