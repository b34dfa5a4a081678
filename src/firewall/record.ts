/**
 * The record of a grant: what a back-end keeps beside the doors that it opened, so that a restarted ghostport knows its
 * grants. It is one line of text, and fits where the back-end has room for a comment.
 *
 *     2|STANZA|LIFETIME|SOURCE|OPENINGS|USERNAME|END
 *     2|3|30|192.0.2.7|t22,u53|alice|86400000
 *     2|3:phone|30|192.0.2.7|t22,u53|alice|86400000                 the stanza has a NAME
 *     2|3|30|192.0.2.7!|t22,u53|alice|86400000                      asked for by 192.0.2.7 itself
 *     2|3|30|192.0.2.7|t80>22|alice|86400000                        a ghost
 *     2|3|30|192.0.2.7|t80>22=[192.0.2.1]|alice|86400000            a ghost at an address that the client named
 *     2|3|30|192.0.2.7|t443>[10.0.0.5]:8443~m|alice|86400000        an inner host; ~m masquerade, ~s[ADDRESS] SNAT
 *     2|3|30|192.0.2.7|o[10.0.0.0]/24:1-65535+t[10.1.0.5]/32:22-22|alice|86400000        through this host, to others
 *     2|3|30|192.0.2.7|t22@[192.0.2.1]|alice|86400000               only at that address of the server
 *     2|3|30|192.0.2.7|d[10.0.0.5]|alice|86400000                   all that is sent to this host, to an inner host
 *
 * END is in milliseconds since the machine started, including its suspensions. A remaining time instead would grow a
 * little with each reading and writing. The leading 2 is the version. Version 1 had no END, and is read too. Records of
 * another version are not understood, and their grants end.
 */
import { type Grant, grantId, type Opening, type TransitTarget, type Translated } from '../access/grant.ts'
import type { StanzaId } from '../access/stanza.ts'
import { parseStanzaName } from '../access/stanza-name.ts'
import { type IpAddress, parseAddress, parseNetwork } from '../packet/address.ts'
import type { Protocol, Username } from '../packet/message.ts'
import { parseUsername } from '../packet/username.ts'
import { type Port, parsePort, seconds } from '../units.ts'

const VERSION = '2'
const VERSION_WITHOUT_END = '1'

/**
 * @param until its end: milliseconds since the machine started, including its suspensions.
 * @returns one line of printable ASCII without quotes, backslashes and blanks.
 */
export function encodeRecord(grant: Grant, until: number): string {
  const { stanza, stanzaName, lifetime, source, firstHand, openings, username } = grant
  const granter = stanzaName === undefined ? stanza : `${stanza}:${stanzaName}`
  const asked = firstHand ? `${source}!` : source
  const user = encodeURIComponent(username).replaceAll("'", '%27')
  return [VERSION, granter, lifetime, asked, openings.map(encodeOpening).join(','), user, Math.floor(until)].join('|')
}

function encodeOpening(opening: Opening): string {
  switch (opening.kind) {
    case 'access':
      return `${letterOf(opening.protocol)}${opening.port}${encodeAt(opening)}`
    case 'ghost': {
      const named = opening.named === undefined ? '' : `=[${opening.named}]`
      return `${letterOf(opening.protocol)}${opening.publicPort}${encodeAt(opening)}>${opening.localPort}${named}`
    }
    case 'forward': {
      const { protocol, publicPort, target, translation } = opening
      const way = `${letterOf(protocol)}${publicPort}${encodeAt(opening)}>[${target.address}]:${target.port}`
      return `${way}${encodeTranslation(translation)}`
    }
    case 'transit': {
      const to = opening.to.map(({ network: { prefix, length }, ports, protocol }) => {
        const which = protocol === undefined ? 'o' : letterOf(protocol)
        return `${which}[${prefix}]/${length}:${ports.first}-${ports.last}`
      })
      return `${to.join('+')}${encodeTranslation(opening.translation)}`
    }
    case 'divert':
      return `d[${opening.target}]${encodeTranslation(opening.translation)}`
    default:
      return opening satisfies never
  }
}

function encodeAt({ destination }: { readonly destination?: IpAddress }): string {
  return destination === undefined ? '' : `@[${destination}]`
}

function letterOf(protocol: Protocol): string {
  return protocol === 'tcp' ? 't' : 'u'
}

function encodeTranslation(translation: Translated): string {
  return translation === 'none' ? '' : translation === 'masquerade' ? '~m' : `~s[${translation.snat}]`
}

/** What a record says. */
export interface GrantRecord {
  readonly grant: Grant
  /** As in {@link encodeRecord}. Absent in a record of version 1. */
  readonly end?: number
}

/** Accepts only what {@link encodeRecord} writes: every root program can write where records are kept. */
export function parseRecord(record: string): GrantRecord | undefined {
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

/** `3`, or `3:phone` if the stanza had a name when it granted. */
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

const GATEWAY = /^(?:d\[([0-9a-f.:]+)\]|([tuo]\[.*?))(?:~(?:(m)|s\[([0-9a-f.:]+)\]))?$/
const TRANSIT_TARGET = /^([tuo])\[([0-9a-f.:]+)\]\/(\d{1,3}):(\d{1,5})-(\d{1,5})$/

/** A `transit` or a `divert`. */
function parseGateway(text: string): Opening | undefined {
  const [, host, list, masquerade, snat] = GATEWAY.exec(text) ?? []
  const shown = snat === undefined ? undefined : addressOf(snat)
  if (snat !== undefined && shown === undefined) return undefined
  const translation: Translated =
    shown !== undefined ? { snat: shown } : masquerade === undefined ? 'none' : 'masquerade'
  if (host !== undefined) {
    const target = addressOf(host)
    return target && { kind: 'divert', target, translation }
  }
  const to: TransitTarget[] = []
  for (const item of list?.split('+') ?? []) {
    const [, letter, where = '', bits = '', one = '', other = ''] = TRANSIT_TARGET.exec(item) ?? []
    const network = parseNetwork(`${where}/${bits}`)
    const [first, last] = [portOf(one), portOf(other)]
    if (!network.ok || first === undefined || last === undefined || first > last) return undefined
    const protocol = letter === 'o' ? {} : { protocol: letter === 't' ? ('tcp' as const) : ('udp' as const) }
    to.push({ network: network.value, ports: { first, last }, ...protocol })
  }
  return to.length === 0 ? undefined : { kind: 'transit', to, translation }
}

const OPENING =
  /^([tu])(\d{1,5})(?:@\[([0-9a-f.:]+)\])?(?:>(?:(\d{1,5})(?:=\[([0-9a-f.:]+)\])?|\[([0-9a-f.:]+)\]:(\d{1,5})(?:~(?:(m)|s\[([0-9a-f.:]+)\]))?))?$/

function parseOpening(text: string): Opening | undefined {
  const match = OPENING.exec(text)
  if (match === null) return parseGateway(text)
  const [, letter, first = '', at, local, named, host, hostPort, masquerade, snat] = match
  const only = at === undefined ? undefined : addressOf(at)
  if (at !== undefined && only === undefined) return undefined
  const where = only === undefined ? {} : { destination: only }
  const protocol: Protocol = letter === 't' ? 'tcp' : 'udp'
  const publicPort = portOf(first)
  if (publicPort === undefined) return undefined
  if (local !== undefined) {
    const localPort = portOf(local)
    const shown = named === undefined ? undefined : addressOf(named)
    if (localPort === undefined || (named !== undefined && shown === undefined)) return undefined
    return { kind: 'ghost', protocol, publicPort, localPort, ...where, ...(shown && { named: shown }) }
  }
  if (host === undefined) return { kind: 'access', protocol, port: publicPort, ...where }
  const [address, port] = [addressOf(host), portOf(hostPort ?? '')]
  if (address === undefined || port === undefined) return undefined
  const target = { address, port }
  if (snat === undefined) {
    const translation = masquerade === undefined ? 'none' : 'masquerade'
    return { kind: 'forward', protocol, publicPort, target, translation, ...where }
  }
  const shown = addressOf(snat)
  return shown && { kind: 'forward', protocol, publicPort, target, translation: { snat: shown }, ...where }
}

function portOf(text: string): Port | undefined {
  const port = parsePort(text)
  return port.ok ? port.value : undefined
}

function addressOf(text: string): IpAddress | undefined {
  const address = parseAddress(text)
  return address.ok ? address.value : undefined
}
