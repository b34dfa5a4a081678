/**
 * The ledger set: who opened what, kept in the kernel beside the doors, so that a ghostport that starts anew knows its
 * grants. An element is `number . part` with the grant's own end as timeout and a piece of its record as comment.
 *
 *     2|STANZA|LIFETIME|SOURCE|OPENINGS|USERNAME|END
 *     2|3|30|192.0.2.7|t22,u53|alice|86400000
 *     2|3:phone|30|192.0.2.7|t22,u53|alice|86400000                 the stanza has a NAME
 *     2|3|30|192.0.2.7!|t22,u53|alice|86400000                      asked for by 192.0.2.7 itself
 *     2|3|30|192.0.2.7|t80>22|alice|86400000                        a ghost
 *     2|3|30|192.0.2.7|t443>[10.0.0.5]:8443~m|alice|86400000        an inner host; ~m masquerade, ~s[ADDRESS] SNAT
 *
 * END is in milliseconds since the machine started, its suspensions included: a timeout that is read and written anew would end a little
 * later each time. The leading 2 is the version. Version 1 had no END, and is read too: the timeout of the element tells its end. Records
 * of another version are not understood, and their grants end.
 */
import { type Grant, grantId, type Opening } from '../../access/grant.ts'
import type { StanzaId } from '../../access/stanza.ts'
import { parseStanzaName } from '../../access/stanza-name.ts'
import { type IpAddress, parseAddress } from '../../packet/address.ts'
import type { Protocol, Username } from '../../packet/message.ts'
import { parseUsername } from '../../packet/username.ts'
import { type Port, parsePort, seconds } from '../../units.ts'
import type { Element } from './elements.ts'

const VERSION = '2'
const VERSION_WITHOUT_END = '1'
/** nftables takes comments of up to 127 bytes. */
const PIECE = 120

/** @param number tells this grant from all others in the set. @param until its end, in milliseconds since the machine started. */
export function ledgerElements(number: number, grant: Grant, until: number): readonly Element[] {
  const record = encodeRecord(grant, until)
  const pieces = Math.ceil(record.length / PIECE)
  return Array.from({ length: pieces }, (_, part) => ({
    set: 'ledger',
    key: `${number} . ${part}`,
    comment: record.slice(part * PIECE, (part + 1) * PIECE),
  }))
}

/** What the ledger says of one grant. */
export interface LedgerRecord {
  readonly number: number
  readonly grant: Grant
  /** In milliseconds since the machine started. */
  readonly until: number
}

/** An element of the ledger as the kernel has it: it ends between `from` and `to`, in milliseconds since the machine started. */
export interface LedgerElement {
  readonly key: string
  readonly comment?: string
  readonly from: number
  readonly to: number
}

/** The kernel counts in ticks of up to 10 ms, and reading takes time. An end that is later than the kernel's by more is not believed. */
const DOUBT = 50

/** @returns the grants that the ledger records, and how many records make no sense. */
export function parseLedger(elements: readonly LedgerElement[]): {
  readonly records: readonly LedgerRecord[]
  readonly unread: number
} {
  const pieces = new Map<string, { parts: string[]; from: number; to: number }>()
  for (const { key, comment = '', from, to } of elements) {
    const [number = '', part = ''] = key.split(' . ')
    const piece = pieces.get(number)
    if (piece === undefined) {
      const parts: string[] = []
      parts[Number(part)] = comment
      pieces.set(number, { parts, from, to })
      continue
    }
    piece.parts[Number(part)] = comment
    piece.from = Math.min(piece.from, from)
    piece.to = Math.min(piece.to, to)
  }
  const records: LedgerRecord[] = []
  for (const [number, { parts, from, to }] of pieces) {
    const record = parseRecord(parts.join(''))
    if (record === undefined) continue
    const { grant, end = from } = record
    records.push({ number: Number(number), grant, until: end <= to + DOUBT ? end : from })
  }
  return { records, unread: pieces.size - records.length }
}

function encodeRecord(grant: Grant, until: number): string {
  const { stanza, stanzaName, lifetime, source, firstHand, openings, username } = grant
  const granter = stanzaName === undefined ? stanza : `${stanza}:${stanzaName}`
  const asked = firstHand ? `${source}!` : source
  const user = encodeURIComponent(username).replaceAll("'", '%27')
  return [VERSION, granter, lifetime, asked, openings.map(encodeOpening).join(','), user, Math.floor(until)].join('|')
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
function parseRecord(record: string): { readonly grant: Grant; readonly end?: number } | undefined {
  const [version, granter = '', lifetime = '', asked = '', list = '', user = '', ...more] = record.split('|')
  const end = version === VERSION && more.length === 1 && /^\d{1,15}$/.test(more[0] ?? '') ? Number(more[0]) : undefined
  if (end === undefined && (version !== VERSION_WITHOUT_END || more.length > 0)) return undefined
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
  const grant: Grant = {
    id: grantId(source.value, openings),
    ...stanza,
    source: source.value,
    firstHand,
    openings,
    lifetime: seconds(Number(lifetime)),
    username,
  }
  return end === undefined ? { grant } : { grant, end }
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
