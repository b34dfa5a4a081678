/**
 * The ledger set: who opened what, kept in the kernel beside the doors, so that a ghostport that starts anew knows its
 * grants. An element is `number . part` with the grant's own end as timeout and a piece of its record as comment.
 *
 *     1|STANZA|LIFETIME|SOURCE|OPENINGS|USERNAME
 *     1|3|30|192.0.2.7|t22,u53|alice
 *     1|3:phone|30|192.0.2.7|t22,u53|alice                 the stanza has a NAME
 *     1|3|30|192.0.2.7!|t22,u53|alice                      asked for by 192.0.2.7 itself
 *     1|3|30|192.0.2.7|t80>22|alice                        a ghost
 *     1|3|30|192.0.2.7|t443>[10.0.0.5]:8443~m|alice        an inner host; ~m masquerade, ~s[ADDRESS] SNAT
 *
 * The leading 1 is the version: records of another version are not understood, and their grants end.
 */
import { type Grant, grantId, type Opening } from '../../access/grant.ts'
import type { StanzaId } from '../../access/stanza.ts'
import { parseStanzaName } from '../../access/stanza-name.ts'
import { type IpAddress, parseAddress } from '../../packet/address.ts'
import type { Protocol, Username } from '../../packet/message.ts'
import { parseUsername } from '../../packet/username.ts'
import { type Port, parsePort, seconds } from '../../units.ts'
import type { Element } from './elements.ts'

const VERSION = '1'
/** nftables takes comments of up to 127 bytes. */
const PIECE = 120

/** @param number tells this grant from all others in the set. */
export function ledgerElements(number: number, grant: Grant): readonly Element[] {
  const record = encodeRecord(grant)
  const pieces = Math.ceil(record.length / PIECE)
  return Array.from({ length: pieces }, (_, part) => ({
    set: 'ledger',
    key: `${number} . ${part}`,
    comment: record.slice(part * PIECE, (part + 1) * PIECE),
  }))
}

/** What the ledger says of one grant. */
export interface LedgerRecord {
  readonly grant: Grant
  /** In milliseconds. */
  readonly remaining: number
}

/**
 * @param listing what `list set` prints of the ledger.
 * @returns the grants that it records, and how many records make no sense.
 */
export function parseLedger(listing: string): { readonly records: readonly LedgerRecord[]; readonly unread: number } {
  const pieces = new Map<string, { parts: string[]; remaining: number }>()
  const element = /0x([0-9a-f]{8}) \. 0x([0-9a-f]{8}) timeout \w+(?: expires (\w+))? comment "([^"]*)"/g
  for (const [, number = '', part = '', expires = '0s', comment = ''] of listing.matchAll(element)) {
    const piece = pieces.get(number) ?? { parts: [], remaining: Number.POSITIVE_INFINITY }
    piece.parts[Number.parseInt(part, 16)] = comment
    piece.remaining = Math.min(piece.remaining, parseSpan(expires))
    pieces.set(number, piece)
  }
  const records: LedgerRecord[] = []
  for (const { parts, remaining } of pieces.values()) {
    const grant = parseRecord(parts.join(''))
    if (grant !== undefined && remaining > 0) records.push({ grant, remaining })
  }
  return { records, unread: pieces.size - records.length }
}

/** Milliseconds in a span as nftables prints it: `1d2h3m4s5ms`. */
function parseSpan(text: string): number {
  const units: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 }
  let total = 0
  for (const [, count = '0', unit = ''] of text.matchAll(/(\d+)(ms|[dhms])/g))
    total += Number(count) * (units[unit] ?? 0)
  return total
}

function encodeRecord({ stanza, stanzaName, lifetime, source, firstHand, openings, username }: Grant): string {
  const granter = stanzaName === undefined ? stanza : `${stanza}:${stanzaName}`
  const asked = firstHand ? `${source}!` : source
  return [VERSION, granter, lifetime, asked, openings.map(encodeOpening).join(','), encodeURIComponent(username)]
    .join('|')
    .replaceAll("'", '%27')
}

function encodeOpening(opening: Opening): string {
  const protocol = opening.protocol === 'tcp' ? 't' : 'u'
  switch (opening.kind) {
    case 'access':
      return `${protocol}${opening.port}`
    case 'ghost':
      return `${protocol}${opening.publicPort}>${opening.localPort}`
    case 'forward': {
      const { publicPort, target, translation } = opening
      const as = translation === 'none' ? '' : translation === 'masquerade' ? '~m' : `~s[${translation.snat}]`
      return `${protocol}${publicPort}>[${target.address}]:${target.port}${as}`
    }
    default:
      return opening satisfies never
  }
}

/** Only what {@link encodeRecord} writes is read: the table can be written by any root program. */
function parseRecord(record: string): Grant | undefined {
  const [version, granter = '', lifetime = '', asked = '', list = '', user = '', ...more] = record.split('|')
  if (version !== VERSION || more.length > 0) return undefined
  const stanza = parseGranter(granter)
  if (stanza === undefined || !/^[1-9]\d{0,9}$/.test(lifetime) || user === '') return undefined
  const firstHand = asked.endsWith('!')
  const source = parseAddress(firstHand ? asked.slice(0, -1) : asked)
  if (!source.ok) return undefined
  const openings: Opening[] = []
  for (const item of list.split(',')) {
    const opening = parseOpening(item)
    if (opening === undefined) return undefined
    openings.push(opening)
  }
  const username = parseUser(user)
  if (username === undefined) return undefined
  return {
    id: grantId(source.value, openings),
    ...stanza,
    source: source.value,
    firstHand,
    openings,
    lifetime: seconds(Number(lifetime)),
    username,
  }
}

/** `3`, or `3:phone` where the stanza had a name when it granted. */
function parseGranter(text: string): Pick<Grant, 'stanza' | 'stanzaName'> | undefined {
  const [, number, nameText] = /^([1-9]\d{0,8})(?::(.*))?$/.exec(text) ?? []
  if (number === undefined) return undefined
  const stanza = Number(number) as StanzaId
  if (nameText === undefined) return { stanza }
  const name = parseStanzaName(nameText)
  return name.ok ? { stanza, stanzaName: name.value } : undefined
}

function parseUser(text: string): Username | undefined {
  try {
    const username = parseUsername(decodeURIComponent(text))
    return username.ok ? username.value : undefined
  } catch {
    return undefined
  }
}

const OPENING = /^([tu])(\d{1,5})(?:>(?:(\d{1,5})|\[([0-9a-f.:]+)\]:(\d{1,5})(?:~(?:(m)|s\[([0-9a-f.:]+)\]))?))?$/

function parseOpening(text: string): Opening | undefined {
  const match = OPENING.exec(text)
  if (match === null) return undefined
  const [, letter, first = '', local, host, hostPort, masquerade, snat] = match
  const protocol: Protocol = letter === 't' ? 'tcp' : 'udp'
  const publicPort = portOf(first)
  if (publicPort === undefined) return undefined
  if (local !== undefined) {
    const localPort = portOf(local)
    return localPort && { kind: 'ghost', protocol, publicPort, localPort }
  }
  if (host === undefined) return { kind: 'access', protocol, port: publicPort }
  const [address, port] = [addressOf(host), portOf(hostPort ?? '')]
  if (address === undefined || port === undefined) return undefined
  const target = { address, port }
  if (snat === undefined) {
    const translation = masquerade === undefined ? 'none' : 'masquerade'
    return { kind: 'forward', protocol, publicPort, target, translation }
  }
  const shown = addressOf(snat)
  return shown && { kind: 'forward', protocol, publicPort, target, translation: { snat: shown } }
}

function portOf(text: string): Port | undefined {
  const port = parsePort(text)
  return port.ok ? port.value : undefined
}

function addressOf(text: string): IpAddress | undefined {
  const address = parseAddress(text)
  return address.ok ? address.value : undefined
}
