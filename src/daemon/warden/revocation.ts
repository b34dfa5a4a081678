/**
 * `ghostport revoke`: grants end now, and so do the connections that they let in, also those of grants that have ended
 * meanwhile. A new knock opens again.
 */

import type { Grant, LiveGrant } from '../../access/grant.ts'
import { describeStanza } from '../../access/stanza-name.ts'
import type { Closing } from '../../access/verdict.ts'
import { describeFirewall, type FirewallConfig } from '../../config/server/firewall-settings.ts'
import type { Admission, Firewall, FirewallFailure, Opened } from '../../firewall/firewall.ts'
import type { Log } from '../../log.ts'
import type { IpAddress } from '../../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { type Asker, describeAsker } from '../../system/asker.ts'
import { type Milliseconds, milliseconds } from '../../units.ts'
import type { CloseCounts } from '../link/executor-protocol.ts'
import { Admitted } from './admitted.ts'
import { asksFor, isOf } from './closing.ts'
import type { EndedElsewhere } from './gates/gates.ts'
import { grantFields } from './journal.ts'
import { grantTag, matcher, type Named, parseTarget, stanzaWords, type Target, whyUnknown } from './revoke-target.ts'
import { describeGrant, type GrantStatus } from './status.ts'
import type { Unconfirmed } from './unconfirmed.ts'

/** What ended. Stable: fields are added, never changed (docs/OPERATING.md § Revoke). */
export interface Revoked {
  readonly version: 1
  readonly revoked: readonly GrantStatus[]
  /** How many connections ended. */
  readonly connections: number
  /** How many of these may be of other stanzas, and of which: nothing tells them apart. */
  readonly shared: number
  readonly sharedWith: readonly string[]
  readonly firewall: string
  /** The closes of command cycles that ran for it: with status 0, otherwise, and those that still run. */
  readonly closes: CloseCounts
  /** Why some of it may be open still. */
  readonly problem?: string
  /** What became of it at other nodes of the cluster. Absent: they have nothing to do with it. */
  readonly gates?: EndedElsewhere
  /** Whether the firewall marks what it lets in. If not, connections are told by addresses and ports alone. */
  readonly marks: boolean
}

/** What the control socket answers. */
export type RevokeAnswer = Revoked | { readonly failure: Failure }

export interface RevocationParts {
  readonly firewall: Firewall
  readonly log: Log
  /** Resolves when the knocks that wait now were judged, or after this time. @returns whether they were. */
  readonly settled: (patience: Milliseconds) => Promise<boolean>
  readonly stanzas: () => readonly Named[]
  readonly config: () => FirewallConfig
  /** Has the closes of cycles run, as `Commands.closeNow`. */
  readonly closeNow: (which: {
    readonly stanzas: readonly string[]
    readonly source?: IpAddress
  }) => Promise<Result<CloseCounts, Failure>>
  readonly unconfirmed: Unconfirmed
  /** Ends the same at other nodes of the cluster. */
  readonly endElsewhere?: (
    isMeant: (grant: Grant) => boolean,
    how: 'revoke' | 'close',
  ) => Promise<EndedElsewhere | undefined>
  /** The stanzas whose cycles owe a close. */
  readonly owing: () => readonly { readonly stanza: string }[]
}

/** Knocks that came before a change of the stanzas are judged by the earlier ones, and may still open something. */
const PATIENCE = milliseconds(5000)
const UNSETTLED = 'knocks from before still wait to be judged, and may open something: revoke again'
/** How long a word is looked at. A name has 63 characters. */
const LONGEST_WORD = 200

export class Revocation {
  readonly #parts: RevocationParts
  readonly #admitted = new Admitted()

  constructor(parts: RevocationParts) {
    this.#parts = parts
    for (const { grant, remaining } of parts.firewall.kept().grants)
      this.#admitted.note(grant, undefined, Date.now() + remaining)
  }

  /** The firewall, for those who open grants: what they open is remembered. */
  get doors(): Pick<Firewall, 'open'> {
    return {
      open: async (grants) => {
        const results = await this.#parts.firewall.open(grants)
        this.#note(grants, results)
        return results
      },
    }
  }

  /**
   * A closing knock: the doors shut as at the end of their time. Connections go on, as they do then: their own client
   * can end them.
   */
  async closeOwn({ stanzas, source, ports }: Closing): Promise<Result<readonly Grant[], Failure>> {
    const now = Date.now()
    const isAsked = asksFor(ports)
    const live = this.#admitted.for(new Set([source])).filter(({ grant, until = 0 }) => until > now && isAsked(grant))
    const isOwn = ({ grant }: Admission) => stanzas.some((stanza) => isOf(grant, stanza))
    const own = live.filter(isOwn)
    const others = live.filter((one) => !isOwn(one))
    const ended: Grant[] = []
    for (const { grant } of own) {
      this.#admitted.endedAt(grant, now)
      // Two stanzas that open the same for one address share a grant.
      if (others.some((other) => other.grant.id === grant.id)) continue
      const closed = await this.#parts.firewall.revoke(grant.id)
      if (!closed.ok) return closed
      ended.push(grant)
    }
    if (own.length > 0) void this.#parts.endElsewhere?.((grant) => own.some((one) => isSame(one.grant, grant)), 'close')
    const [other] = others
    if (other === undefined) return ok(ended)
    return refuse(
      'ACCESS_CLOSE_SHARED',
      `${describeStanza(other.grant.stanza, other.grant.stanzaName)} has it open for ${source} too`,
    )
  }

  /** @param word as in {@link parseTarget}. Only a text is accepted. */
  async answer(word: unknown, asker: Asker): Promise<RevokeAnswer> {
    const target = parseTarget(typeof word === 'string' ? word.slice(0, LONGEST_WORD) : '')
    if (!target.ok) return { failure: target.failure }
    this.#parts.log.write('info', 'control', { asked: `revoke ${targetWord(target.value)}`, ...askerFields(asker) })
    const isMeant = matcher(target.value, this.#parts.stanzas())
    const [revoked, first] = await Promise.all([
      this.#revoke(target.value, asker),
      this.#parts.endElsewhere?.(isMeant, 'revoke'),
    ])
    if (!revoked.ok) return { failure: revoked.failure }
    // A knock of before may have been granted meanwhile, here and elsewhere.
    const gates = bothOf(first, await this.#parts.endElsewhere?.(isMeant, 'revoke'))
    const problem = [revoked.value.problem, gates && describeUnreached(gates)].filter((part) => part !== undefined)
    return {
      ...revoked.value,
      ...(gates !== undefined && { gates }),
      ...(problem.length > 0 && { problem: problem.join('; ') }),
    }
  }

  /** It ended at another node. @returns why it may still be open here. */
  async endedElsewhere(grant: Grant, how: 'revoke' | 'close'): Promise<string | undefined> {
    if (how === 'revoke') {
      // Also after a restart of this node, when nobody remembers whom an ended grant let in.
      this.#admitted.note(grant, undefined, Date.now())
      const revoked = await this.#revoke({ kind: 'grant', tag: grantTag(grant.id) }, {})
      if (revoked.ok) return revoked.value.problem
      return revoked.failure.code === 'REVOKE_UNKNOWN' ? undefined : revoked.failure.detail
    }
    this.#admitted.endedAt(grant, Date.now())
    const isShared = this.#admitted
      .for(new Set([grant.source]))
      .some((one) => one.grant.id === grant.id && (one.until ?? 0) > Date.now())
    const closed = isShared ? ok(undefined) : await this.#parts.firewall.revoke(grant.id)
    return closed.ok ? undefined : closed.failure.detail
  }

  /** Ends what an earlier server had begun to end when it was killed. */
  async finishEarlier(): Promise<void> {
    const { unconfirmed, log } = this.#parts
    const left = unconfirmed.left()
    if (typeof left === 'string') {
      log.write('error', 'notice', {
        text: `a revocation that a killed server had begun may be unfinished: ${left}. Revoke again what must not be open`,
      })
      return
    }
    for (const one of left) {
      const { word, grants } = one
      for (const grant of grants) this.#admitted.note(grant, undefined, Date.now())
      const target = parseTarget(word)
      const done = target.ok ? await this.#revoke(target.value, {}) : target
      const detail = done.ok ? 'begun before this start, and finished now' : done.failure.detail
      const failed = !done.ok && done.failure.code !== 'REVOKE_UNKNOWN'
      log.write(failed ? 'error' : 'info', 'control', { asked: `revoke ${word}`, detail })
      // What failed is tried again at the next start.
      if (!failed) unconfirmed.end(one)
    }
  }

  async #revoke(target: Target, asker: Asker): Promise<Result<Revoked, Failure>> {
    const { firewall, stanzas, owing, unconfirmed, log } = this.#parts
    const named = stanzas()
    const isMeant = matcher(target, named)
    const live = await firewall.grants()
    if (!live.ok) return live
    const known = [...live.value.map(({ grant }) => grant), ...this.#admitted.all().map(({ grant }) => grant)]
    const cycles = owing().map(({ stanza }) => stanza)
    const unknown = whyUnknown(target, known, named, cycles)
    if (unknown !== undefined) return { ok: false, failure: unknown }
    // If this process is killed meanwhile, the next one ends the same.
    const begun = { word: shortWord(target), grants: known.filter(isMeant) }
    const unwritten = unconfirmed.begin(begun)
    if (unwritten !== undefined)
      log.write('warning', 'notice', {
        text: `a crash in the middle of this revocation would interrupt it: ${unwritten}`,
      })
    try {
      return await this.#endAll(target, isMeant, live.value, asker)
    } finally {
      unconfirmed.end(begun)
    }
  }

  async #endAll(
    target: Target,
    isMeant: (grant: Grant) => boolean,
    live: readonly LiveGrant[],
    asker: Asker,
  ): Promise<Result<Revoked, Failure>> {
    const { firewall, settled, stanzas, config, closeNow } = this.#parts
    const named = stanzas()
    const which = { stanzas: stanzaWords(target, named), ...(target.kind === 'address' && { source: target.address }) }
    const closing = closeNow(which)
    const revoked = await this.#close(
      live.filter(({ grant }) => isMeant(grant)),
      asker,
    )
    if (!revoked.ok) return revoked
    const ended = await this.#end(isMeant, target)
    if (!ended.ok) return ended
    const isSettled = await settled(PATIENCE)
    const late = await firewall.grants()
    const more = late.ok
      ? await this.#close(
          late.value.filter(({ grant }) => isMeant(grant)),
          asker,
        )
      : late
    if (!more.ok) return more
    const again = more.value.length === 0 ? ok({ connections: 0, untold: 0 }) : await this.#end(isMeant, target)
    if (!again.ok) return again
    // What a knock of before has opened meanwhile.
    const { closes, problem: notClosed } = sumOf(await Promise.all([closing, closeNow(which)]))
    const untold = ended.value.untold + again.value.untold
    const problems = [
      ...(notClosed === undefined ? [] : [notClosed]),
      ...(isSettled ? [] : [UNSETTLED]),
      ...(untold === 0 ? [] : [describeUntold(untold)]),
    ]
    return ok({
      version: 1,
      revoked: [...revoked.value, ...more.value].map(describeGrant),
      connections: ended.value.connections + again.value.connections,
      shared: ended.value.shared,
      sharedWith: ended.value.sharedWith,
      closes,
      ...(problems.length > 0 && { problem: problems.join('; ') }),
      firewall: describeFirewall(config()),
      marks: config().kind !== 'iptables',
    })
  }

  /** Shuts the doors of these grants. */
  async #close(grants: readonly LiveGrant[], asker: Asker): Promise<Result<readonly LiveGrant[], FirewallFailure>> {
    const { firewall, log } = this.#parts
    for (const { grant } of grants) {
      const closed = await firewall.revoke(grant.id)
      if (!closed.ok) return closed
      const detail = `revoked by ${describeAsker(asker)}`
      log.write('info', 'grant ended', { detail, ...grantFields(grant), ...askerFields(asker) })
    }
    return ok(grants)
  }

  async #end(isMeant: (grant: Grant) => boolean, target: Target) {
    const all = this.#admitted.all()
    const by = all.filter(({ grant }) => isMeant(grant))
    const from: readonly IpAddress[] = target.kind === 'address' ? [target.address] : []
    const sources = new Set([...from, ...by.map(({ grant }) => grant.source)])
    const others = target.kind === 'address' ? [] : this.#admitted.for(sources).filter((one) => !by.includes(one))
    const ended = await this.#parts.firewall.endConnections({ by, from, others })
    if (!ended.ok) return ended
    this.#admitted.forget(by)
    const { connections, shared, sharedWith, untold = 0 } = ended.value
    if (connections > 0)
      this.#parts.log.write('info', 'connections ended', { connections, detail: `revoked ${targetWord(target)}` })
    const names = new Set(sharedWith.map(({ stanza, stanzaName }) => describeStanza(stanza, stanzaName)))
    return ok({ connections, shared, sharedWith: [...names], untold })
  }

  #note(grants: readonly Grant[], results: readonly Result<Opened, FirewallFailure>[]): void {
    const now = Date.now()
    for (const [i, grant] of grants.entries())
      if (results[i]?.ok) this.#admitted.note(grant, now, now + grant.lifetime * 1000)
  }
}

function isSame(one: Grant, other: Grant): boolean {
  return one.id === other.id && one.stanzaName === other.stanzaName
}

function bothOf(one: EndedElsewhere | undefined, other: EndedElsewhere | undefined): EndedElsewhere | undefined {
  if (one === undefined || other === undefined) return one ?? other
  const unwritten = one.unwritten ?? other.unwritten
  const unreached = new Set([...one.unreached, ...other.unreached])
  return {
    closed: [...new Set([...one.closed, ...other.closed])].filter((node) => !unreached.has(node)).sort(),
    unreached: [...unreached].sort(),
    ...(unwritten !== undefined && { unwritten }),
  }
}

function describeUnreached({ unreached, unwritten }: EndedElsewhere): string | undefined {
  if (unwritten !== undefined) return `other nodes of the cluster do not know of it yet: ${unwritten}`
  if (unreached.length === 0) return undefined
  return `not confirmed as closed at ${unreached.join(', ')}: it ends there as soon as the node hears of it, or at its time`
}

function describeUntold(untold: number): string {
  return (
    `this kernel cannot end sockets of this host (INET_DIAG_DESTROY): ${untold} connections are cut, and their clients ` +
    'are told, but a service here may hold its session until it times out'
  )
}

/** As an administrator writes it. */
function shortWord(target: Target): string {
  return target.kind === 'user' && 'number' in target ? `${target.number}` : targetWord(target)
}

function targetWord(target: Target): string {
  switch (target.kind) {
    case 'grant':
      return target.tag
    case 'address':
      return target.address
    case 'user':
      return 'name' in target ? target.name : `stanza ${target.number}`
    default:
      return target satisfies never
  }
}

function sumOf(counted: readonly Result<CloseCounts, Failure>[]): {
  readonly closes: CloseCounts
  readonly problem?: string
} {
  const closes = { good: 0, failed: 0, unfinished: 0 }
  let problem: string | undefined
  for (const counts of counted) {
    if (!counts.ok) problem = counts.failure.detail
    else for (const name of ['good', 'failed', 'unfinished'] as const) closes[name] += counts.value[name]
  }
  return { closes, ...(problem !== undefined && { problem }) }
}

/** Who had something changed, for the log. */
export function askerFields({ uid, loginUid }: Asker): { readonly byUid?: number; readonly byLoginUid?: number } {
  return { ...(uid !== undefined && { byUid: uid }), ...(loginUid !== undefined && { byLoginUid: loginUid }) }
}
