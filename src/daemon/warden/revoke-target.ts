/** What `ghostport revoke` is given: a grant, a user or an address; and which grants that names. Pure. */
import { createHash } from 'node:crypto'
import type { Grant, GrantId } from '../../access/grant.ts'
import { parseStanzaName, sameNameKey } from '../../access/stanza-name.ts'
import { nearest } from '../../config/reading/nearest.ts'
import { type IpAddress, parseAddress } from '../../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'

/** A grant in a few characters, the same at each time: `g:3f9a2c1b`. No name of a stanza has a colon. */
export function grantTag(id: GrantId): string {
  return `g:${createHash('sha256').update(id).digest('hex').slice(0, 8)}`
}

export type Target =
  | { readonly kind: 'grant'; readonly tag: string }
  | { readonly kind: 'address'; readonly address: IpAddress }
  /** By NAME, or by the number of a stanza without one. */
  | { readonly kind: 'user'; readonly name: string }
  | { readonly kind: 'user'; readonly number: number }

/** @returns CLI_USAGE for a word that can be none of them. */
export function parseTarget(word: string): Result<Target, Failure<'CLI_USAGE'>> {
  if (/^g:/i.test(word)) {
    if (/^g:[0-9a-f]{8}$/i.test(word)) return ok({ kind: 'grant', tag: word.toLowerCase() })
    return refuse('CLI_USAGE', `“${word}” is no grant: a grant is g: and eight digits, as “ghostport status” shows it`)
  }
  if (/^[1-9][0-9]{0,8}$/.test(word)) return ok({ kind: 'user', number: Number(word) })
  const address = parseAddress(word)
  if (address.ok) return ok({ kind: 'address', address: address.value })
  const name = parseStanzaName(word)
  if (name.ok) return ok({ kind: 'user', name: name.value })
  return refuse('CLI_USAGE', `“${word}” is no grant, no NAME or number of a stanza, and no address`, {
    suggestion: 'ghostport status shows what is open, and for whom',
  })
}

/** A stanza that is in force now. */
export interface Named {
  readonly id: number
  readonly name?: string
}

/** Whether a grant is one of the target's. */
export function matcher(target: Target, stanzas: readonly Named[]): (grant: Grant) => boolean {
  switch (target.kind) {
    case 'grant':
      return ({ id }) => grantTag(id) === target.tag
    case 'address':
      return ({ source }) => source === target.address
    case 'user': {
      if ('name' in target) return ofName(target.name)
      const name = stanzas.find(({ id }) => id === target.number)?.name
      const named = name === undefined ? () => false : ofName(name)
      // A grant keeps the number of its time. Where it has a name, only that counts.
      return (grant) => named(grant) || (grant.stanzaName === undefined && grant.stanza === target.number)
    }
    default:
      return target satisfies never
  }
}

function ofName(name: string): (grant: Grant) => boolean {
  const key = name.toLowerCase()
  return ({ stanzaName }) => stanzaName !== undefined && sameNameKey(stanzaName) === key
}

/** The names and numbers under which cycles of the target may have opened. */
export function stanzaWords(target: Target, stanzas: readonly Named[]): readonly string[] {
  if (target.kind !== 'user') return []
  if ('name' in target) return [target.name]
  const name = stanzas.find(({ id }) => id === target.number)?.name
  return [`${target.number}`, ...(name === undefined ? [] : [name])]
}

/**
 * Why nothing can be revoked; undefined for a target that is known, whether anything of it is open or not.
 * @param cycles the stanzas whose cycles owe a close, by NAME or number.
 */
export function whyUnknown(
  target: Target,
  known: readonly Grant[],
  stanzas: readonly Named[],
  cycles: readonly string[] = [],
): Failure<'REVOKE_UNKNOWN'> | undefined {
  if (known.some(matcher(target, stanzas))) return undefined
  const words = stanzaWords(target, stanzas).map((word) => word.toLowerCase())
  if (cycles.some((stanza) => words.includes(stanza.toLowerCase()))) return undefined
  switch (target.kind) {
    case 'grant':
      return unknown(
        `no grant is ${target.tag}, now or since the start of the server`,
        nearest(target.tag, [...new Set(known.map(({ id }) => grantTag(id)))]),
      )
    case 'address':
      return undefined
    case 'user': {
      if ('number' in target)
        return stanzas.some(({ id }) => id === target.number)
          ? undefined
          : unknown(`there is no stanza ${target.number}: access.conf has ${stanzas.length}`, undefined)
      const names = stanzas.flatMap(({ name }) => (name === undefined ? [] : [name]))
      if (names.some((name) => name.toLowerCase() === target.name.toLowerCase())) return undefined
      const granted = known.flatMap(({ stanzaName }) => (stanzaName === undefined ? [] : [stanzaName]))
      return unknown(
        `no stanza has the NAME ${target.name}, and no grant was made for one`,
        nearest(target.name, [...new Set([...names, ...granted])]),
      )
    }
    default:
      return target satisfies never
  }
}

function unknown(detail: string, meant: string | undefined): Failure<'REVOKE_UNKNOWN'> {
  const suggestion = meant === undefined ? 'ghostport status' : `ghostport revoke ${meant}`
  return refuse('REVOKE_UNKNOWN', detail, { suggestion }).failure
}
