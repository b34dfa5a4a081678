/**
 * Answers the console. It may look at everything that `ghostport status` and the log show, and do what CONSOLE_RIGHTS
 * allow. Each change has a line in the audit log, with who asked: what gives somebody something is recorded before.
 */

import type { Grant, LiveGrant } from '../../../access/grant.ts'
import type { Stanza } from '../../../access/stanza.ts'
import type { AuditActor, AuditEvent } from '../../../audit-log/entry.ts'
import type { Clock } from '../../../clock.ts'
import { monotonic } from '../../../clock.ts'
import type { ConfigSource } from '../../../config/load.ts'
import type { Firewall } from '../../../firewall/firewall.ts'
import { type Failure, ok, type Result, refuse } from '../../../result.ts'
import { TokenBucket } from '../../../token-bucket.ts'
import type { Seconds } from '../../../units.ts'
import {
  type ConsoleActor,
  type ConsoleAnswer,
  type ConsoleRequest,
  type ConsoleRight,
  rightFor,
} from '../../link/console-protocol.ts'
import { BoundedLines } from '../bounded-lines.ts'
import { grantTag } from '../revoke-target.ts'
import type { EventRing } from './event-ring.ts'
import { extended } from './extend.ts'
import { type Look, Looks } from './looks.ts'
import type { OwnCommands } from './own-command.ts'

/** How long a question for events waits for one. */
const WAIT_FOR_EVENTS = 15_000

/** Lines of the audit log about what CONSOLE_RIGHTS refused: a console that goes on asking must not fill the disk. */
const REFUSALS = { perSecond: 1 / 60, burst: 20 } as const
/** The same for what accounts do at the console. What it refuses has a share of its own, so that logins have theirs. */
const DEEDS = { perSecond: 1 / 10, burst: 60 } as const

export interface DeskParts {
  readonly status: () => Promise<unknown>
  readonly uses: () => unknown
  readonly events: EventRing
  readonly revoke: (word: string, actor: AuditActor) => Promise<{ readonly failure: Failure } | object>
  readonly reload: (actor: AuditActor) => Promise<unknown>
  readonly firewall: Pick<Firewall, 'grants' | 'open'>
  readonly stanzas: () => readonly Stanza[]
  readonly record: (event: AuditEvent) => Promise<Result<unknown, Failure>>
  readonly commands: OwnCommands
  readonly source: ConfigSource
  readonly rights: () => readonly ConsoleRight[]
  readonly clock: Clock
  /** The user of the console, by the kernel's word. */
  readonly uid: number
}

type Deed = Extract<ConsoleRequest, { ask: 'account' }>
type Change = Exclude<ConsoleRequest, { ask: 'status' | 'uses' | 'events' | 'account' | Look }>
type UserChange = Exclude<Change, { ask: 'revoke' | 'extend' | 'reload' }>

export class Desk {
  readonly #parts: DeskParts
  readonly #looks: Looks
  readonly #refusals = new BoundedLines(REFUSALS, monotonic())
  readonly #deeds = { done: new TokenBucket(DEEDS, monotonic()), refused: new TokenBucket(REFUSALS, monotonic()) }
  #unrecordedDeeds = 0

  constructor(parts: DeskParts) {
    this.#parts = parts
    this.#looks = new Looks(parts.commands)
  }

  /** @param signal the asker has gone. */
  async answer(request: ConsoleRequest, signal: AbortSignal): Promise<ConsoleAnswer> {
    const answered = await this.#answer(request, signal)
    if (answered.ok) return { done: true, value: answered.value }
    const { code, detail } = answered.failure
    return { done: false, code, detail }
  }

  async #answer(request: ConsoleRequest, signal: AbortSignal): Promise<Result<unknown>> {
    switch (request.ask) {
      case 'status':
        return ok(await this.#parts.status())
      case 'uses':
        return ok(this.#parts.uses())
      case 'events':
        return ok(await this.#events(request.after, signal))
      case 'users':
      case 'policy':
      case 'doctor':
      case 'audit':
        return await this.#look(request.ask)
      case 'account':
        return await this.#recordDeed(request)
      default: {
        const right = this.#missingRight(request)
        if (right !== undefined) return await this.#refuse(request, right)
        const changed = await this.#change(request)
        if (request.ask !== 'invite list') this.#looks.forget()
        return changed
      }
    }
  }

  async #events(after: number, signal: AbortSignal) {
    const { events } = this.#parts
    const now = events.after(after)
    if (now.events.length > 0) return now
    await events.more(AbortSignal.any([signal, AbortSignal.timeout(WAIT_FOR_EVENTS)]))
    return events.after(after)
  }

  async #look(look: Look): Promise<Result<unknown>> {
    const { source } = this.#parts
    if (source.dialect !== undefined)
      return refuse('CONSOLE_REFUSED', 'this can be looked at only where “ghostport serve” runs the server')
    const ran = await this.#looks.look(look, source)
    const failure = ran.ok ? failureIn(ran.value) : undefined
    return failure === undefined ? ran : { ok: false, failure }
  }

  #missingRight({ ask }: Change): ConsoleRight | undefined {
    const right = rightFor(ask)
    return right === undefined || this.#parts.rights().includes(right) ? undefined : right
  }

  async #refuse({ ask, by }: Change, right: ConsoleRight): Promise<Result<never>> {
    const line = this.#refusals.next(monotonic())
    if (line !== undefined) {
      const more = line.leftOut === undefined ? '' : `; ${line.leftOut} more refusals before it have no line`
      await this.#parts.record({ by: this.#actor(by), did: `${ask}: refused`, note: `CONSOLE_RIGHTS${more}` })
    }
    return refuse('CONSOLE_REFUSED', `CONSOLE_RIGHTS does not have “${right}”`)
  }

  async #recordDeed({ did, name, from, missing = 0 }: Deed): Promise<Result<unknown>> {
    const bucket = did.endsWith('refused') ? this.#deeds.refused : this.#deeds.done
    if (!bucket.take(1, monotonic())) {
      this.#unrecordedDeeds += 1 + missing
      return ok({ recorded: false })
    }
    const more = this.#unrecordedDeeds + missing
    this.#unrecordedDeeds = 0
    const recorded = await this.#parts.record({
      by: {
        ...{ via: 'console', uid: this.#parts.uid },
        ...(name !== undefined && { name }),
        ...(from !== undefined && { from }),
      },
      did: `console: ${did}`,
      ...(more > 0 && { note: `${more} more before it have no line` }),
    })
    return recorded.ok ? ok({ recorded: true }) : recorded
  }

  async #change(request: Change): Promise<Result<unknown>> {
    const actor = this.#actor(request.by)
    switch (request.ask) {
      case 'revoke': {
        const answer = await this.#parts.revoke(request.word, actor)
        return 'failure' in answer ? { ok: false, failure: answer.failure } : ok(answer)
      }
      case 'reload':
        return ok(await this.#parts.reload(actor))
      case 'extend':
        return await this.#extend(request, actor)
      default:
        return await this.#changeUsers(request)
    }
  }

  async #extend({ grant: tag, seconds }: Extract<Change, { ask: 'extend' }>, by: AuditActor): Promise<Result<unknown>> {
    const before = await this.#longer(tag, seconds)
    if (!before.ok) return before
    const { found, longer } = before.value
    const { grant, remaining } = found
    const recorded = await this.#parts.record({
      ...{ by, did: 'extend', to: `${tag} for ${grant.source}, ${grant.stanzaName ?? `stanza ${grant.stanza}`}` },
      ...{ before: [`${Math.ceil(remaining / 1000)} s left`], after: [`${seconds} s left`] },
    })
    if (!recorded.ok) return recorded
    // Meanwhile it may have been revoked, or its stanza removed.
    const still = await this.#longer(tag, seconds)
    if (!still.ok) return still
    const [opened] = await this.#parts.firewall.open([longer])
    return opened?.ok
      ? ok({ grant: tag, seconds })
      : (opened ?? refuse('FIREWALL_REFUSED', 'the firewall gave no answer'))
  }

  /** @returns a live grant, and what it would be if it went on for these seconds. */
  async #longer(tag: string, seconds: Seconds): Promise<Result<{ found: LiveGrant; longer: Grant }>> {
    const { firewall, stanzas, clock } = this.#parts
    const live = await firewall.grants()
    if (!live.ok) return live
    const found = live.value.find(({ grant }) => grantTag(grant.id) === tag)
    if (found === undefined) return refuse('REVOKE_UNKNOWN', `${tag} is not open`)
    const longer = extended(found.grant, stanzas(), seconds, clock.now())
    return longer.ok ? ok({ found, longer: longer.value }) : longer
  }

  async #changeUsers(request: UserChange): Promise<Result<unknown>> {
    const { source, commands } = this.#parts
    if (source.dialect !== undefined)
      return refuse('CONSOLE_REFUSED', 'users can be changed only where “ghostport serve” runs the server')
    const files = [
      '--config-file',
      source.server,
      ...(source.access === undefined ? [] : ['--access-file', source.access]),
    ]
    const ran = await commands.run([...commandFor(request), '--json', ...files], request.by)
    if (!ran.ok) return ran
    const failure = failureIn(ran.value)
    return failure === undefined ? ran : { ok: false, failure }
  }

  #actor({ name, from }: ConsoleActor): AuditActor {
    return { via: 'console', uid: this.#parts.uid, name, ...(from !== undefined && { from }) }
  }
}

/** Each value follows the name of its option, or is a name: none can be taken for an option. */
function commandFor(request: UserChange): readonly string[] {
  const option = (name: string, value: string | undefined): readonly string[] =>
    value === undefined ? [] : [`--${name}`, value]
  switch (request.ask) {
    case 'user disable':
    case 'user enable':
    case 'user remove':
      return [...request.ask.split(' '), request.name]
    case 'user add': {
      const { name, open, server, source, expire, time } = request
      const asked = [...option('open', open), ...option('server', server), ...option('source', source)]
      return ['user', 'add', name, '--show-secrets', ...asked, ...option('expire', expire), ...option('time', time)]
    }
    case 'user rotate': {
      const { name, server, overlap } = request
      return ['user', 'rotate', name, '--show-secrets', ...option('server', server), ...option('overlap', overlap)]
    }
    case 'invite': {
      const { name, open, server, source, expire, for: span } = request
      const asked = [...option('open', open), ...option('server', server), ...option('source', source)]
      const { gateway, gatewayTarget, gatewayFingerprint } = request
      const through = [
        ...option('gateway', gateway),
        ...option('gateway-target', gatewayTarget),
        ...option('gateway-fingerprint', gatewayFingerprint),
      ]
      const times = [...option('expire', expire), ...option('for', span)]
      return ['invite', name, '--show-secrets', ...asked, ...times, ...through]
    }
    case 'invite list':
      return ['invite', 'list']
    case 'invite confirm':
      return ['invite', 'confirm', request.name, ...option('fingerprint', request.fingerprint)]
    case 'invite cancel':
      return ['invite', 'cancel', request.name]
    default:
      return request satisfies never
  }
}

/** As `--json` tells it. */
function failureIn(value: unknown): Failure | undefined {
  if (typeof value !== 'object' || value === null || !('error' in value)) return undefined
  const { error } = value
  const detail = typeof error === 'object' && error !== null && 'detail' in error ? String(error.detail) : 'unknown'
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
  return refuse('CONSOLE_REFUSED', code === '' ? detail : `${detail} [${code}]`).failure
}
