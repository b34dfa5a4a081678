/**
 * `ghostport revoke`: grants end now, and so do the connections that they let in, also those of grants that have ended
 * meanwhile. A new knock opens again.
 */

import type { Grant, LiveGrant } from '../../access/grant.ts'
import { describeStanza } from '../../access/stanza-name.ts'
import { describeFirewall, type FirewallConfig } from '../../config/server/firewall-settings.ts'
import type { Firewall, FirewallFailure, Opened } from '../../firewall/firewall.ts'
import type { Log } from '../../log.ts'
import type { IpAddress } from '../../packet/address.ts'
import { type Failure, ok, type Result } from '../../result.ts'
import { milliseconds } from '../../units.ts'
import { Admitted } from './admitted.ts'
import { grantFields } from './journal.ts'
import { matcher, type Named, parseTarget, type Target, whyUnknown } from './revoke-target.ts'
import { describeGrant, type GrantStatus } from './status.ts'

/** What the control socket answers. Stable: fields are added, never changed (docs/OPERATING.md § Revoke). */
export type RevokeAnswer =
  | {
      readonly version: 1
      readonly revoked: readonly GrantStatus[]
      /** How many connections ended. */
      readonly connections: number
      /** How many of these may be of other stanzas, and of which: nothing tells them apart. */
      readonly shared: number
      readonly sharedWith: readonly string[]
      readonly firewall: string
      /** Whether the firewall marks what it lets in. If not, connections are told by addresses and ports alone. */
      readonly marks: boolean
    }
  | { readonly failure: Failure }

export interface RevocationParts {
  readonly firewall: Firewall
  readonly log: Log
  /** Resolves when the knocks that wait now were judged. */
  readonly settled: (patience: ReturnType<typeof milliseconds>) => Promise<void>
  readonly stanzas: () => readonly Named[]
  readonly config: () => FirewallConfig
}

/** Knocks that came before a change of the stanzas are judged by the earlier ones, and may still open something. */
const PATIENCE = milliseconds(1000)
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

  /** @param word as in {@link parseTarget}. Only a text is accepted. */
  async answer(word: unknown): Promise<RevokeAnswer> {
    const target = parseTarget(typeof word === 'string' ? word.slice(0, LONGEST_WORD) : '')
    if (!target.ok) return { failure: target.failure }
    const revoked = await this.#revoke(target.value)
    return revoked.ok ? revoked.value : { failure: revoked.failure }
  }

  async #revoke(target: Target): Promise<Result<RevokeAnswer, Failure>> {
    const { firewall, settled, stanzas, config } = this.#parts
    const named = stanzas()
    const isMeant = matcher(target, named)
    const live = await firewall.grants()
    if (!live.ok) return live
    const known = [...live.value.map(({ grant }) => grant), ...this.#admitted.all().map(({ grant }) => grant)]
    const unknown = whyUnknown(target, known, named)
    if (unknown !== undefined) return { ok: false, failure: unknown }
    const revoked = await this.#close(live.value.filter(({ grant }) => isMeant(grant)))
    if (!revoked.ok) return revoked
    const ended = await this.#end(isMeant, target)
    if (!ended.ok) return ended
    await settled(PATIENCE)
    const late = await firewall.grants()
    const more = late.ok ? await this.#close(late.value.filter(({ grant }) => isMeant(grant))) : late
    if (!more.ok) return more
    const again = more.value.length === 0 ? ok({ connections: 0 }) : await this.#end(isMeant, target)
    if (!again.ok) return again
    return ok({
      version: 1,
      revoked: [...revoked.value, ...more.value].map(describeGrant),
      connections: ended.value.connections + again.value.connections,
      shared: ended.value.shared,
      sharedWith: ended.value.sharedWith,
      firewall: describeFirewall(config()),
      marks: config().kind !== 'iptables',
    })
  }

  /** Shuts the doors of these grants. */
  async #close(grants: readonly LiveGrant[]): Promise<Result<readonly LiveGrant[], FirewallFailure>> {
    const { firewall, log } = this.#parts
    for (const { grant } of grants) {
      const closed = await firewall.revoke(grant.id)
      if (!closed.ok) return closed
      log.write('info', 'grant ended', { detail: 'revoked by the administrator', ...grantFields(grant) })
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
    const { connections, shared, sharedWith } = ended.value
    if (connections > 0) this.#parts.log.write('info', 'connections ended', { connections, detail: described(target) })
    const names = new Set(sharedWith.map(({ stanza, stanzaName }) => describeStanza(stanza, stanzaName)))
    return ok({ connections, shared, sharedWith: [...names] })
  }

  #note(grants: readonly Grant[], results: readonly Result<Opened, FirewallFailure>[]): void {
    const now = Date.now()
    for (const [i, grant] of grants.entries())
      if (results[i]?.ok) this.#admitted.note(grant, now, now + grant.lifetime * 1000)
  }
}

function described(target: Target): string {
  switch (target.kind) {
    case 'grant':
      return `revoked ${target.tag}`
    case 'address':
      return `revoked ${target.address}`
    case 'user':
      return `revoked ${'name' in target ? target.name : `stanza ${target.number}`}`
    default:
      return target satisfies never
  }
}
