/** Users and invitations, and what else of the server is looked at: policy, doctor, audit log. */

import { parseStanzaName, type StanzaName } from '../access/stanza-name.ts'
import type { ConsoleActor, ConsoleRequest } from '../daemon/link/console-protocol.ts'
import { type HttpReply, jsonReply, type Route } from '../http-server/route.ts'
import { mapped, type Reader, record, text } from '../json-reader.ts'
import { type Milliseconds, milliseconds } from '../units.ts'
import { mayAct } from './account.ts'
import { failureReply, refusal } from './answers.ts'
import type { Gatekeeper, Needs } from './gatekeeper.ts'
import type { ServerLine } from './server-line.ts'
import type { ServerWatch } from './server-watch.ts'
import {
  auditAnswer,
  changedUserAnswer,
  doctorAnswer,
  invitationAnswer,
  newKeysAnswer,
  policyAnswer,
  usersAnswer,
} from './user-answers.ts'

const name: Reader<StanzaName> = mapped(text({ max: 63 }), (read) => {
  const parsed = parseStanzaName(read)
  return parsed.ok ? parsed.value : undefined
})
const word = text({ max: 200 })
const span = text({ max: 10 })
const readUser = record({ name, open: word, server: word }, { source: word, expire: span, time: span })
const readInvitation = record(
  { name, open: word, server: word },
  { source: word, expire: span, for: span, gateway: word, gatewayTarget: word, gatewayFingerprint: word },
)
const readConfirmation = record({ name, fingerprint: text({ max: 100 }) }, {})
const readRotation = record({ name, server: word }, { overlap: span })
const readName = record({ name }, {})

const MOST_ENTRIES = 500
const USUAL_ENTRIES = 100
/** How long a list of invitations is shown, and how long it is not asked for where it was refused. */
const GOOD_FOR = milliseconds(5_000)
const REFUSED_FOR = milliseconds(60_000)
/** What gives access: keys, invitations, and enabling a user, who perhaps was disabled because its keys were stolen. */
const STEP_UP = { stepUp: true } as const

export interface UserParts {
  readonly line: ServerLine
  /** For what takes a while, so that it holds up nothing else. */
  readonly looks: ServerLine
  readonly watch: () => ServerWatch
  readonly wall: () => Date
}

export function userRoutes({ line, looks, watch, wall }: UserParts, gate: Gatekeeper): readonly Route[] {
  const invited = new Invitations(looks)
  /** Asks, and makes the answer of what it gets. */
  const ask = async (request: ConsoleRequest, answer: (value: unknown) => object, by = looks): Promise<HttpReply> => {
    const asked = await by.ask(request)
    return asked.ok ? jsonReply(200, answer(asked.value)) : failureReply(asked.failure)
  }
  const change = async (request: ConsoleRequest, answer: (value: unknown) => object): Promise<HttpReply> => {
    const reply = await ask(request, answer, line)
    watch().look()
    invited.forget()
    return reply
  }
  const ofUser = (path: 'disable' | 'enable' | 'remove', needs: Needs = {}): Route =>
    gate.post(
      `/v1/users/${path}`,
      'administrator',
      readName,
      ({ body }, { by }) => change({ ask: `user ${path}`, name: body.name, by }, changedUserAnswer),
      needs,
    )

  return [
    gate.get('/v1/users', 'viewer', async (_request, { account, by, now }) => {
      const users = await looks.ask({ ask: 'users' })
      if (!users.ok) return failureReply(users.failure)
      const invitations = mayAct(account.role, 'administrator') ? await invited.of(by, now) : undefined
      return jsonReply(200, usersAnswer(users.value, invitations, watch().grants))
    }),
    gate.post(
      '/v1/users',
      'administrator',
      readUser,
      ({ body }, { by }) => change({ ask: 'user add', ...body, by }, (value) => newKeysAnswer(body.name, value)),
      STEP_UP,
    ),
    gate.post(
      '/v1/users/rotate',
      'administrator',
      readRotation,
      ({ body }, { by }) => change({ ask: 'user rotate', ...body, by }, (value) => newKeysAnswer(body.name, value)),
      STEP_UP,
    ),
    ofUser('disable'),
    ofUser('enable', STEP_UP),
    ofUser('remove'),
    gate.post(
      '/v1/invitations',
      'administrator',
      readInvitation,
      ({ body }, { by }) => change({ ask: 'invite', ...body, by }, (value) => invitationAnswer(body.name, value)),
      STEP_UP,
    ),
    gate.post(
      '/v1/invitations/confirm',
      'administrator',
      readConfirmation,
      ({ body }, { by }) => change({ ask: 'invite confirm', ...body, by }, () => ({ done: true })),
      STEP_UP,
    ),
    gate.post('/v1/invitations/cancel', 'administrator', readName, ({ body }, { by }) =>
      change({ ask: 'invite cancel', name: body.name, by }, () => ({ done: true })),
    ),
    gate.get('/v1/policy', 'viewer', () => ask({ ask: 'policy' }, policyAnswer)),
    gate.get('/v1/doctor', 'viewer', () => ask({ ask: 'doctor' }, (value) => doctorAnswer(value, wall()))),
    gate.get(
      '/v1/audit',
      'administrator',
      ({ query }) => {
        const [before, limit] = [query.get('before') ?? '999999999999999', query.get('limit') ?? String(USUAL_ENTRIES)]
        if (![before, limit].every((one) => /^[0-9]{1,15}$/.test(one)) || Number(limit) > MOST_ENTRIES || limit === '0')
          return refusal(400, 'VALUE_INVALID', 'The number or the limit cannot be understood.')
        return ask({ ask: 'audit' }, (value) => auditAnswer(value, Number(before), Number(limit)))
      },
      { query: ['before', 'limit'] },
    ),
  ]
}

/** To ask for them is a right of those who invite, and may ask gateways: so not with each look. */
class Invitations {
  readonly #line: ServerLine
  #kept: { readonly value: unknown; readonly until: Milliseconds } | undefined

  constructor(line: ServerLine) {
    this.#line = line
  }

  /** @returns what `invite list --json` prints; undefined where the console may not know. */
  async of(by: ConsoleActor, now: Milliseconds): Promise<unknown> {
    if (this.#kept !== undefined && now < this.#kept.until) return this.#kept.value
    const asked = await this.#line.ask({ ask: 'invite list', by })
    const value = asked.ok ? asked.value : undefined
    this.#kept = { value, until: milliseconds(now + (asked.ok ? GOOD_FOR : REFUSED_FOR)) }
    return value
  }

  forget(): void {
    this.#kept = undefined
  }
}
