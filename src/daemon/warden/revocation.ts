/**
 * `ghostport revoke`: grants end now, and so do the connections that they let in, also those of grants that have ended
 * meanwhile. A new knock opens again.
 */

import type { Grant, LiveGrant } from '../../access/grant.ts'
import { describeStanza, type StanzaName, sameNameKey } from '../../access/stanza-name.ts'
import type { Closing } from '../../access/verdict.ts'
import { describeFirewall, type FirewallConfig } from '../../config/server/firewall-settings.ts'
import type { Admission, Firewall, FirewallFailure, Opened } from '../../firewall/firewall.ts'
import type { Log, LogField } from '../../log.ts'
import type { IpAddress } from '../../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { type Asker, describeAsker } from '../../system/asker.ts'
import { type Milliseconds, milliseconds } from '../../units.ts'
import type { CloseCounts } from '../link/executor-protocol.ts'
import { Admitted } from './admitted.ts'
import { asksFor, isOf } from './closing.ts'
import type { EndedElsewhere, Whose } from './gates/gates.ts'
import { CLOSED_BY_CLIENT, grantFields } from './journal.ts'
import { grantTag, matcher, type Named, parseTarget, stanzaWords, type Target, whyUnknown } from './revoke-target.ts'
import { describeGrant, type GrantStatus } from './status.ts'
import type { Begun, Unconfirmed } from './unconfirmed.ts'
import type { IsConcerned } from './under-way.ts'

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
  /**
   * Resolves when what is on its way now was judged, or after this time. Of what waits for others (the cluster, names,
   * users), only what is concerned counts.
   * @returns whether it was.
   */
  readonly settled: (patience: Milliseconds, isConcerned: IsConcerned) => Promise<boolean>
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
    whose?: Whose,
  ) => Promise<EndedElsewhere | undefined>
  /** The stanzas whose cycles owe a close. */
  readonly owing: () => readonly { readonly stanza: string }[]
}

/** Knocks that came before a change of the stanzas are judged by the earlier ones, and may still open something. */
const PATIENCE = milliseconds(5000)
const UNSETTLED = 'knocks from before still wait to be judged, and may open something: revoke again'
/** How long a word is looked at. A name has 63 characters. */
const LONGEST_WORD = 200

/** Who has it ended, for the log. */
interface By {
  readonly detail: string
  readonly fields: { readonly [name: string]: LogField }
}

/** What ends. */
interface Meant {
  /** For the log. */
  readonly word: string
  readonly isMeant: (grant: Grant) => boolean
  /** Whose cycles close too: names and numbers. */
  readonly stanzas: readonly string[]
  /** All connections from there end. */
  readonly address?: IpAddress
  /** What is on its way, and may open it again. */
  readonly isConcerned: IsConcerned
}

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
    for (const { grant } of own) this.#admitted.endedAt(grant, now)
    // Two stanzas that open the same for one address share a grant.
    const ended = own.map(({ grant }) => grant).filter(({ id }) => !others.some((other) => other.grant.id === id))
    const closed = await this.#parts.firewall.revoke(ended.map(({ id }) => id))
    if (!closed.ok) return closed
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
    return await this.#everywhere(
      () => this.#revoke(target.value, asker),
      async () => await this.#parts.endElsewhere?.(isMeant, 'revoke'),
    )
  }

  /** Users who were removed or disabled: what they have ends together, however many they are. */
  async users(
    users: readonly { readonly name: StanzaName; readonly whose: Whose }[],
    asker: Asker,
  ): Promise<RevokeAnswer> {
    for (const { name } of users)
      this.#parts.log.write('info', 'control', { asked: `revoke ${name}`, ...askerFields(asker) })
    const elsewhere = async (of: Whose) => {
      const names = users.flatMap(({ name, whose }) => (whose === of ? [name] : []))
      return names.length === 0 ? undefined : await this.#parts.endElsewhere?.(ofNames(names), 'revoke', of)
    }
    return await this.#everywhere(
      () =>
        this.#revokeUsers(
          users.map(({ name }) => name),
          asker,
        ),
      async () => bothOf(...(await Promise.all([elsewhere('all'), elsewhere('own')]))),
    )
  }

  async #everywhere(
    here: () => Promise<Result<Revoked, Failure>>,
    elsewhere: () => Promise<EndedElsewhere | undefined>,
  ): Promise<RevokeAnswer> {
    const [revoked, first] = await Promise.all([here(), elsewhere()])
    if (!revoked.ok) return { failure: revoked.failure }
    // A knock of before may have been granted meanwhile, here and elsewhere.
    const gates = bothOf(first, await elsewhere())
    const problem = [revoked.value.problem, gates && describeUnreached(gates)].filter((part) => part !== undefined)
    return {
      ...revoked.value,
      ...(gates !== undefined && { gates }),
      ...(problem.length > 0 && { problem: problem.join('; ') }),
    }
  }

  /** Another node revoked these, and with them the connections that they let in: also those of ended grants. */
  async revokedElsewhere(grants: readonly Grant[], node: string): Promise<RevokeAnswer> {
    const now = Date.now()
    // Also after a restart of this node, when nobody remembers whom an ended grant let in.
    for (const grant of grants) this.#admitted.note(grant, undefined, now)
    const revoked = await this.#revokeGrants(grants, { detail: `revoked at ${node}`, fields: { by: node } })
    return revoked.ok ? revoked.value : { failure: revoked.failure }
  }

  /**
   * Its own client closed these at another node. Connections go on.
   * @returns those that ended: what another stanza has open too stays.
   */
  async closedElsewhere(grants: readonly Grant[], node: string): Promise<Result<readonly Grant[], FirewallFailure>> {
    const now = Date.now()
    for (const grant of grants) this.#admitted.endedAt(grant, now)
    const live = this.#admitted.for(new Set(grants.map(({ source }) => source))).filter(({ until = 0 }) => until > now)
    const shared = new Set(live.map(({ grant }) => grant.id))
    const ended = grants.filter(({ id }) => !shared.has(id))
    const closed = await this.#parts.firewall.revoke(ended.map(({ id }) => id))
    if (!closed.ok) return closed
    for (const grant of ended)
      this.#parts.log.write('info', 'grant ended', { detail: CLOSED_BY_CLIENT, ...grantFields(grant), by: node })
    return ok(ended)
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
    for (const grant of left.flatMap(({ grants }) => grants)) this.#admitted.note(grant, undefined, Date.now())
    // Another node may have ended thousands: these end together.
    const single = left.filter(({ word }) => word.startsWith('g:'))
    const grants = single.flatMap((one) => one.grants)
    if (single.length > 0)
      await this.#finish(single, () => this.#revokeGrants(grants, { detail: revokedBy({}), fields: {} }))
    for (const one of left.filter((each) => !single.includes(each))) {
      const target = parseTarget(one.word)
      await this.#finish([one], async () => (target.ok ? await this.#revoke(target.value, {}) : target))
    }
  }

  async #finish(group: readonly Begun[], work: () => Promise<Result<unknown, Failure>>): Promise<void> {
    const { unconfirmed, log } = this.#parts
    const done = await work()
    const detail = done.ok ? 'begun before this start, and finished now' : done.failure.detail
    const failed = !done.ok && done.failure.code !== 'REVOKE_UNKNOWN'
    for (const { word } of group) log.write(failed ? 'error' : 'info', 'control', { asked: `revoke ${word}`, detail })
    // What failed is tried again at the next start.
    if (!failed) unconfirmed.end(...group)
  }

  /** These, and what they let in. */
  async #revokeGrants(grants: readonly Grant[], by: By): Promise<Result<Revoked, Failure>> {
    const ids = new Set(grants.map(({ id }) => id))
    const begun = grants.map((grant) => ({ word: grantTag(grant.id), grants: [grant] }))
    const word = begun.length === 1 ? (begun[0]?.word ?? '') : `${begun.length} grants`
    return await this.#begun(begun, async () => {
      const live = await this.#parts.firewall.grants()
      if (!live.ok) return live
      // All that ends at a gate waits for this one. And it is about these grants: a knock of before makes another.
      const isConcerned: IsConcerned = () => false
      return await this.#endAll({ word, isMeant: ({ id }) => ids.has(id), stanzas: [], isConcerned }, live.value, by)
    })
  }

  async #revokeUsers(names: readonly StanzaName[], asker: Asker): Promise<Result<Revoked, Failure>> {
    const live = await this.#parts.firewall.grants()
    if (!live.ok) return live
    const isMeant = ofNames(names)
    const grantsOf = new Map<string, Grant[]>()
    for (const grant of this.#known(live.value).filter(isMeant)) {
      const { stanzaName = '' } = grant
      const grants = grantsOf.get(stanzaName)
      if (grants === undefined) grantsOf.set(stanzaName, [grant])
      else grants.push(grant)
    }
    const begun = [...grantsOf].map(([word, grants]) => ({ word, grants }))
    const meant = {
      ...{ word: names.length === 1 ? names.join() : `${names.length} users`, isMeant, stanzas: names },
      isConcerned: concernsNames(names),
    }
    const by = { detail: revokedBy(asker), fields: askerFields(asker) }
    return await this.#begun(begun, () => this.#endAll(meant, live.value, by))
  }

  #known(live: readonly LiveGrant[]): readonly Grant[] {
    return [...live.map(({ grant }) => grant), ...this.#admitted.all().map(({ grant }) => grant)]
  }

  async #revoke(target: Target, asker: Asker): Promise<Result<Revoked, Failure>> {
    const revoked = await this.#revokeKnown(target, asker)
    if (revoked.ok || revoked.failure.code !== 'REVOKE_UNKNOWN') return revoked
    // A knock of before may be about to open: its stanza may have been removed just now.
    await this.#parts.settled(PATIENCE, () => false)
    return await this.#revokeKnown(target, asker)
  }

  async #revokeKnown(target: Target, asker: Asker): Promise<Result<Revoked, Failure>> {
    const { firewall, stanzas, owing } = this.#parts
    const named = stanzas()
    const isMeant = matcher(target, named)
    const live = await firewall.grants()
    if (!live.ok) return live
    const known = this.#known(live.value)
    const cycles = owing().map(({ stanza }) => stanza)
    const unknown = whyUnknown(target, known, named, cycles)
    if (unknown !== undefined) return { ok: false, failure: unknown }
    const words = stanzaWords(target, named)
    const meant = {
      ...{ word: targetWord(target), isMeant, stanzas: words },
      isConcerned: concernedBy(target, words, sourcesOf(known.filter(isMeant))),
      ...(target.kind === 'address' && { address: target.address }),
    }
    const by = { detail: revokedBy(asker), fields: askerFields(asker) }
    const begun = { word: shortWord(target), grants: known.filter(isMeant) }
    return await this.#begun([begun], () => this.#endAll(meant, live.value, by))
  }

  /** If this process is killed meanwhile, the next one ends the same. */
  async #begun<T>(begun: readonly Begun[], work: () => Promise<T>): Promise<T> {
    const { unconfirmed, log } = this.#parts
    const unwritten = unconfirmed.begin(...begun)
    if (unwritten !== undefined)
      log.write('warning', 'notice', {
        text: `a crash in the middle of this revocation would interrupt it: ${unwritten}`,
      })
    try {
      return await work()
    } finally {
      unconfirmed.end(...begun)
    }
  }

  async #endAll(meant: Meant, live: readonly LiveGrant[], by: By): Promise<Result<Revoked, Failure>> {
    const { firewall, settled, config, closeNow } = this.#parts
    const { isMeant, stanzas, address, isConcerned } = meant
    const which = { stanzas, ...(address !== undefined && { source: address }) }
    const closing = closeNow(which)
    const revoked = await this.#close(
      live.filter(({ grant }) => isMeant(grant)),
      by,
    )
    if (!revoked.ok) return revoked
    const ended = await this.#end(meant)
    if (!ended.ok) return ended
    const isSettled = await settled(PATIENCE, isConcerned)
    const late = await firewall.grants()
    const more = late.ok
      ? await this.#close(
          late.value.filter(({ grant }) => isMeant(grant)),
          by,
        )
      : late
    if (!more.ok) return more
    const again = more.value.length === 0 ? ok({ connections: 0, untold: 0 }) : await this.#end(meant)
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
  async #close(
    grants: readonly LiveGrant[],
    { detail, fields }: By,
  ): Promise<Result<readonly LiveGrant[], FirewallFailure>> {
    const { firewall, log } = this.#parts
    const closed = await firewall.revoke(grants.map(({ grant }) => grant.id))
    if (!closed.ok) return closed
    for (const { grant } of grants) log.write('info', 'grant ended', { detail, ...grantFields(grant), ...fields })
    return ok(grants)
  }

  async #end({ isMeant, word, address }: Meant) {
    const all = this.#admitted.all()
    const by = all.filter(({ grant }) => isMeant(grant))
    const from: readonly IpAddress[] = address === undefined ? [] : [address]
    const sources = new Set([...from, ...by.map(({ grant }) => grant.source)])
    const others = address === undefined ? this.#admitted.for(sources).filter(({ grant }) => !isMeant(grant)) : []
    const ended = await this.#parts.firewall.endConnections({ by, from, others })
    if (!ended.ok) return ended
    this.#admitted.forget(by)
    const { connections, shared, sharedWith, untold = 0 } = ended.value
    if (connections > 0) this.#parts.log.write('info', 'connections ended', { connections, detail: `revoked ${word}` })
    const names = new Set(sharedWith.map(({ stanza, stanzaName }) => describeStanza(stanza, stanzaName)))
    return ok({ connections, shared, sharedWith: [...names], untold })
  }

  #note(grants: readonly Grant[], results: readonly Result<Opened, FirewallFailure>[]): void {
    const now = Date.now()
    for (const [i, grant] of grants.entries())
      if (results[i]?.ok) this.#admitted.note(grant, now, now + grant.lifetime * 1000)
  }
}

function sourcesOf(grants: readonly Grant[]): ReadonlySet<IpAddress> {
  return new Set(grants.map(({ source }) => source))
}

/**
 * @param words the names and numbers of the target's stanzas.
 * @param sources of the grants that it means now.
 */
function concernedBy(target: Target, words: readonly string[], sources: ReadonlySet<IpAddress>): IsConcerned {
  switch (target.kind) {
    case 'user':
      return concernsNames(words)
    case 'address':
      return (one) => one.sources.includes(target.address)
    case 'grant':
      return (one) => one.sources.some((source) => sources.has(source))
    default:
      return target satisfies never
  }
}

function concernsNames(words: readonly string[]): IsConcerned {
  const meant = new Set(words.map((word) => word.toLowerCase()))
  return ({ stanzas }) => stanzas.some((stanza) => meant.has(stanza.toLowerCase()))
}

function ofNames(names: readonly StanzaName[]): (grant: Grant) => boolean {
  const keys = new Set(names.map(sameNameKey))
  return ({ stanzaName }) => stanzaName !== undefined && keys.has(sameNameKey(stanzaName))
}

/** @returns why some of it may be open still, and whether to revoke again can help. */
export function whatIsLeft(answer: RevokeAnswer): { readonly problem?: string; readonly again?: true } {
  if ('failure' in answer) return { problem: answer.failure.detail, again: true }
  const { problem } = answer
  if (problem === undefined) return {}
  // Other nodes end it by themselves once they hear of it, and no second try ends what this kernel cannot.
  return { problem, ...(problem.includes(UNSETTLED) && { again: true }) }
}

function revokedBy(asker: Asker): string {
  return `revoked by ${describeAsker(asker)}`
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
