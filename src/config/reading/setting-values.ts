/**
 * The values that settings take, one reader for each kind. Readers know nothing of files: the caller adds file and
 * line. Where a value looks like a slip, the refusal suggests what was probably meant.
 */

import type { AccountName } from '../../access/command.ts'
import { isUnicode } from '../../bytes/text.ts'
import { type IpAddress, type Network, parseAddress, parseNetwork } from '../../packet/address.ts'
import { cannotBeHost } from '../../packet/address-kinds.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { parseProtocolPort } from '../../packet/protocol-port.ts'
import { type Failure, ok, type Refused, type Result, refuse } from '../../result.ts'
import { type Port, type PortRange, parsePort } from '../../units.ts'
import { nearest } from './nearest.ts'

export type ValueFailure = Failure<'CONFIG_INVALID_VALUE' | 'CONFIG_UNSUPPORTED_KEY' | 'KEY_INVALID'>
/** At least one. */
export type NonEmpty<T> = readonly [T, ...T[]]
export type ValueReader<T> = (text: string) => Result<T, ValueFailure>

export function invalidValue(detail: string, suggestion?: string): Refused<Failure<'CONFIG_INVALID_VALUE'>> {
  return refuse('CONFIG_INVALID_VALUE', detail, suggestion === undefined ? {} : { suggestion })
}

/**
 * fwknop takes any word that begins with Y for yes and all else for no: `true` and `on` are no there, and refused here.
 */
export function yesNo(text: string): Result<boolean, ValueFailure> {
  return /^(y|yes|n|no)$/i.test(text) ? looseYesNo(text) : refuseYesNo(text)
}

/**
 * The same for a file of the client's, which fwknop may have written: there, more words are taken for what fwknop takes
 * them.
 */
export function looseYesNo(text: string): Result<boolean, Failure<'CONFIG_INVALID_VALUE'>> {
  if (/^y/i.test(text)) return ok(true)
  return /^(n|no|off|false|0)$/i.test(text) ? ok(false) : refuseYesNo(text)
}

function refuseYesNo(text: string) {
  const isYes = /^(true|on|1|enabled?|y.*)$/i.test(text)
  const isNo = /^(false|off|0|disabled?|n.*)$/i.test(text)
  return invalidValue(`“${text}” is neither Y nor N`, isYes ? 'Y' : isNo ? 'N' : undefined)
}

/** Decimal digits only. */
export function wholeNumber(bounds: { min: number; max: number; unit?: string }): ValueReader<number> {
  const { min, max, unit } = bounds
  return (text) => {
    const value = Number(text)
    if (/^[0-9]{1,15}$/.test(text) && value >= min && value <= max) return ok(value)
    const meant = unit === 'seconds' ? spanInSeconds(text) : undefined
    return invalidValue(
      `“${text}” is not a whole number${unit === undefined ? '' : ` of ${unit}`} from ${min} to ${max}`,
      meant !== undefined && meant >= min && meant <= max ? `${meant}` : undefined,
    )
  }
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** `5m` as people write it; no setting takes it. */
function spanInSeconds(text: string): number | undefined {
  const [, amount = '', unit = ''] = /^([0-9]{1,9})\s*(s|m|h|d)[a-z]*$/i.exec(text) ?? []
  const seconds = UNIT_SECONDS[unit.toLowerCase()]
  return seconds === undefined ? undefined : Number(amount) * seconds
}

/** One of a few words, in any case. */
export function oneOf<const Word extends string>(...words: readonly Word[]): ValueReader<Word> {
  return (text) => {
    const found = words.find((word) => word.toLowerCase() === text.toLowerCase())
    if (found !== undefined) return ok(found)
    return invalidValue(`“${text}” is not one of ${words.join(', ')}`, nearest(text, words))
  }
}

/** Folders in the root of every host. */
const ROOT_FOLDER = /^(etc|home|opt|run|srv|tmp|usr|var)(\/|$)/

/**
 * A path from the root, so that it does not depend on where the daemon was started.
 * @param folder where such files usually are: for the suggestion.
 */
export function absolutePath(folder: string): ValueReader<string> {
  return (text) => readAbsolutePath(folder, text)
}

function readAbsolutePath(folder: string, text: string): Result<string, ValueFailure> {
  if (!text.startsWith('/')) {
    const plain = text.replace(/^(\.\/)+/, '')
    return invalidValue(
      `the path “${text}” does not begin with “/”`,
      `${ROOT_FOLDER.test(plain) ? '' : folder}/${plain}`,
    )
  }
  if (!isUnicode(text)) return invalidValue(`the path “${text}” is not UTF-8`)
  return ok(text)
}

/** Items between commas, with blanks around them if you like. There is at least one, and none is empty. */
export function listOf<T>(item: ValueReader<T>): ValueReader<NonEmpty<T>> {
  return (text) => {
    const items: T[] = []
    for (const part of text.split(',')) {
      const trimmed = part.trim()
      if (trimmed === '') return invalidValue('an item of the list is empty: delete the extra comma')
      const read = item(trimmed)
      if (!read.ok) return refuseBlanks(trimmed, item) ?? read
      items.push(read.value)
    }
    const [first, ...more] = items
    // split() gives at least one part.
    return first === undefined ? invalidValue('the list is empty') : ok([first, ...more])
  }
}

/** @returns a refusal where the item would be several, if only there were commas. */
function refuseBlanks<T>(text: string, item: ValueReader<T>) {
  const parts = text.split(/\s+/)
  if (parts.length < 2 || !parts.every((part) => item(part).ok)) return undefined
  return invalidValue(`“${text}” is several items without a comma between them`, parts.join(', '))
}

export function portValue(text: string): Result<Port, ValueFailure> {
  const port = parsePort(text)
  return port.ok ? port : invalidValue(port.failure.detail)
}

/** `22` or `8000-8010`. */
export function portRangeValue(text: string): Result<PortRange, ValueFailure> {
  const [, firstText = '', lastText] = /^([^-]*)(?:-(.*))?$/.exec(text) ?? []
  const first = portValue(firstText)
  if (!first.ok) return first
  const last = lastText === undefined ? first : portValue(lastText)
  if (!last.ok) return last
  return first.value <= last.value
    ? ok({ first: first.value, last: last.value })
    : invalidValue(`the range ${text} is reversed`, `${last.value}-${first.value}`)
}

/** `62201, 53, 10000-65534`: UDP ports. */
export function portRangesValue(text: string): Result<NonEmpty<PortRange>, ValueFailure> {
  const ranges = listOf(portRangeValue)(text)
  if (ranges.ok) return ranges
  // The protocol is always UDP.
  const plain = text.replace(/\budp *[/:] *| *[/:] *udp\b/gi, '')
  return plain !== text && listOf(portRangeValue)(plain).ok ? invalidValue(ranges.failure.detail, plain) : ranges
}

/**
 * `tcp/22, UDP/53`. The protocol may be written in any case, as in fwknopd; packets have it in lower case.
 * @param everyPort how to say “all of them”, which people try to say with a range.
 */
export function protocolPortsValue(everyPort?: string): ValueReader<NonEmpty<ProtocolPort>> {
  return listOf((text) => protocolPortValue(text, everyPort))
}

function protocolPortValue(text: string, everyPort: string | undefined): Result<ProtocolPort, ValueFailure> {
  const port = parseProtocolPort(text.replace(/^[A-Za-z]+(?=\/)/, (protocol) => protocol.toLowerCase()))
  if (port.ok) return port
  if (EVERY.has(text.toLowerCase().replace(/^(tcp|udp)[/:]/, '')))
    return invalidValue(`“${text}” is not a protocol and port: each port is listed by its number`, everyPort)
  const range = /^(?:([A-Za-z]+)[/:])?([0-9]{1,5})-([0-9]{1,5})$/.exec(text)
  if (range !== null) return refuseRange(text, range.slice(1), everyPort)
  const turned = text.replace(/^([0-9]+)[/:]([A-Za-z]+)$/, '$2/$1')
  const [, protocol = '', number = ''] =
    /^([A-Za-z]+) ?[/: ] ?([0-9]+)$/.exec(turned) ?? /^()([0-9]+)$/.exec(text) ?? []
  const meant = `${protocol === '' ? 'tcp' : nearest(protocol, ['tcp', 'udp'])}/${number}`
  return invalidValue(port.failure.detail, parseProtocolPort(meant).ok ? meant : undefined)
}

/** What people write for every port. */
const EVERY: ReadonlySet<string> = new Set(['any', 'all', '*'])

/** Ranges that are written out as a suggestion. */
const MOST_LISTED = 8

/** fwknopd reads `tcp/8000-8010` as `tcp/8000`. */
function refuseRange(text: string, parts: readonly (string | undefined)[], everyPort: string | undefined) {
  const protocol = nearest(parts[0] ?? '', ['tcp', 'udp']) ?? 'tcp'
  const [first = 0, last = 0] = parts.slice(1).map(Number)
  const ports = Array.from({ length: Math.min(Math.max(0, last - first + 1), MOST_LISTED + 1) }, (_, i) => first + i)
  const listed = ports.map((port) => `${protocol}/${port}`)
  return invalidValue(
    `“${text}” is a range of ports: list each port separately`,
    ports.length > 0 && ports.length <= MOST_LISTED && first > 0 && last <= 65_535 ? listed.join(',') : everyPort,
  )
}

export function addressValue(text: string): Result<IpAddress, ValueFailure> {
  const address = parseAddress(text)
  return address.ok ? address : invalidValue(address.failure.detail)
}

/** An address that inner hosts can answer to: not one that means another host on each link, or none. */
export function hostAddressValue(text: string): Result<IpAddress, ValueFailure> {
  const address = addressValue(text)
  if (!address.ok) return address
  const unusable = cannotBeHost(address.value)
  return unusable === undefined ? address : invalidValue(unusable)
}

/** `ANY`, or a list of addresses and networks, in CIDR or (IPv4) with a dotted mask. */
export function networksValue(text: string): Result<'any' | readonly Network[], ValueFailure> {
  const networks = listOf<'any' | Network>((item) => {
    if (item.toUpperCase() === 'ANY') return ok('any')
    const network = parseNetwork(item)
    if (!network.ok) return invalidValue(network.failure.detail, nearest(item, ['ANY']))
    const [address = ''] = item.split('/')
    const named = parseAddress(address)
    // `10.0.0.5/0` is a slip: its author did not mean everybody.
    if (network.value.length === 0 && named.ok && named.value !== network.value.prefix)
      return invalidValue(`“${item}” is not a network: the mask is 0, which stands for every address`, 'ANY')
    return network
  })(text)
  if (!networks.ok) return networks
  const named = networks.value.filter((network) => network !== 'any')
  return ok(named.length < networks.value.length ? 'any' : named)
}

/** `192.0.2.1:80` or `[2001:db8::1]:80`. */
export function addressPortValue(
  text: string,
): Result<{ readonly host: IpAddress; readonly port: Port }, ValueFailure> {
  const [, six, four, number] = /^(?:\[([^\]]*)\]|([^:]*)):([^:]*)$/.exec(text) ?? []
  if (number === undefined) {
    const isSix = parseAddress(text.replace(/:[0-9]+$/, '')).ok && text.split(':').length > 2
    return invalidValue(`“${text}” is not ADDRESS:PORT`, isSix ? text.replace(/^(.*):([0-9]+)$/, '[$1]:$2') : undefined)
  }
  const host = addressValue(six ?? four ?? '')
  if (!host.ok) return host
  const port = portValue(number)
  return port.ok ? ok({ host: host.value, port: port.value }) : port
}

/** A name that passwd(5) or group(5) can have, and that sudo takes for a name. */
export function accountName(what: 'user' | 'group'): ValueReader<AccountName> {
  return (text) =>
    /^[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?$/.test(text)
      ? ok(text as AccountName)
      : invalidValue(`“${text}” is not the name of a ${what}`)
}
