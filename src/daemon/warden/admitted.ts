/**
 * Whom grants let in since the start, also after the grants have ended: a connection outlives its grant. Pure.
 *
 * The number is limited, and one stanza cannot make that of another be forgotten: the stanza with the most gives its
 * oldest up. A connection that is forgotten here is found by its address.
 */
import type { Grant } from '../../access/grant.ts'
import type { Admission } from '../../firewall/firewall.ts'
import type { IpAddress } from '../../packet/address.ts'

/** A few megabytes. */
const MOST = 10_000

export class Admitted {
  readonly #most: number
  /** By stanza, then by grant: the latest last. */
  readonly #stanzas = new Map<string, Map<Grant['id'], Admission>>()
  #size = 0

  constructor(most = MOST) {
    this.#most = most
  }

  /** @param from when it opened, @param until when it ends: milliseconds since 1970. */
  note(grant: Grant, from: number | undefined, until: number): void {
    const stanza = stanzaKey(grant)
    const its = this.#stanzas.get(stanza) ?? new Map<Grant['id'], Admission>()
    this.#stanzas.set(stanza, its)
    const before = its.get(grant.id)
    if (before !== undefined) its.delete(grant.id)
    else this.#size++
    const began = before === undefined ? from : before.from
    its.set(grant.id, {
      grant,
      ...(began !== undefined && { from: began }),
      until: Math.max(until, before?.until ?? 0),
    })
    if (this.#size > this.#most) this.#forgetOldest()
  }

  /** It ended before its time. What it let in is still known. */
  endedAt(grant: Grant, now: number): void {
    const its = this.#stanzas.get(stanzaKey(grant))
    const known = its?.get(grant.id)
    if (known?.until !== undefined && known.until > now) its?.set(grant.id, { ...known, until: now })
  }

  all(): readonly Admission[] {
    return [...this.#stanzas.values()].flatMap((its) => [...its.values()])
  }

  /** Those for one of these addresses. */
  for(sources: ReadonlySet<IpAddress>): readonly Admission[] {
    return this.all().filter(({ grant }) => sources.has(grant.source))
  }

  forget(admissions: readonly Admission[]): void {
    for (const { grant } of admissions) {
      const stanza = stanzaKey(grant)
      const its = this.#stanzas.get(stanza)
      if (its?.delete(grant.id) !== true) continue
      this.#size--
      if (its.size === 0) this.#stanzas.delete(stanza)
    }
  }

  #forgetOldest(): void {
    let largest: ReadonlyMap<Grant['id'], Admission> | undefined
    for (const its of this.#stanzas.values()) if (largest === undefined || its.size > largest.size) largest = its
    const [oldest] = largest?.values() ?? []
    if (oldest !== undefined) this.forget([oldest])
  }
}

function stanzaKey({ stanza, stanzaName }: Grant): string {
  return stanzaName ?? `${stanza}`
}
