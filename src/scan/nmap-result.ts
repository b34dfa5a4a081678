/**
 * The result of a scan by nmap, as its XML (`-oX`) or its grepable text (`-oG`). It comes from another host, so it is
 * read strictly: what is not understood refuses the file, and nothing is guessed. Pure.
 */
import { type IpAddress, parseAddress } from '../packet/address.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { tagsOf } from './xml.ts'

export const PORT_STATES = ['open', 'closed', 'filtered', 'unfiltered', 'open|filtered', 'closed|filtered'] as const
export type PortState = (typeof PORT_STATES)[number]
export type Protocol = 'tcp' | 'udp'

/** One run of a scanner. */
export interface ScanRun {
  /** Name and version: `nmap 7.93`. */
  readonly scanner: string
  /** Absent in a file that does not say it. */
  readonly commandLine?: string
  /** Which ports it asked. A protocol is absent where the file does not say which. */
  readonly asked: ReadonlyMap<Protocol, readonly Range[]>
  /** Those that were up. At least one. */
  readonly hosts: readonly ScanResult[]
}

/** What one run says of one host. */
export interface ScanResult {
  readonly address: IpAddress
  /** By `tcp/22`: the ports that nmap lists. */
  readonly listed: ReadonlyMap<string, PortState>
  /** The ports that were scanned and are not listed, and their state: nmap sums them up. */
  readonly others: readonly {
    readonly protocol: Protocol
    readonly state: PortState
    readonly ports: readonly Range[]
  }[]
  /** By `tcp/22`: what the service said, or what nmap found by asking it. A guess by the port alone is absent. */
  readonly services: ReadonlyMap<string, string>
  /** Ports that are only counted: an older nmap does not say which they are. */
  readonly counted: readonly { readonly state: PortState; readonly count: number }[]
  /** Scanned by the host itself: the packets took loopback. */
  readonly fromItself: boolean
}

/** First and last port. */
export type Range = readonly [first: number, last: number]
type BadScan = Failure<'SCAN_INVALID'>

/** A result of all ports of one host is some kilobytes long. */
export const LONGEST_SCAN = 16 << 20

/** @returns SCAN_INVALID if the file is anything else than a whole result, or no host was up. */
export function parseScan(text: string): Result<ScanRun, BadScan> {
  if (text.length > LONGEST_SCAN) return bad('it is longer than 16 MB')
  const head = text.trimStart()
  const read = head.startsWith('<') ? parseXml(head) : head.startsWith('# Nmap') ? parseGrepable(head) : undefined
  if (read === undefined) return bad('it is neither the XML (-oX) nor the grepable text (-oG) of nmap')
  if (!read.ok || read.value.hosts.length > 0) return read
  return bad('it has no host: nmap found none that was up. Scan with -Pn')
}

/** @returns undefined if that port was not scanned. */
export function stateOf({ listed, others }: ScanResult, protocol: Protocol, port: number): PortState | undefined {
  const state = listed.get(`${protocol}/${port}`)
  if (state !== undefined) return state
  return others.find(
    (each) => each.protocol === protocol && each.ports.some(([first, last]) => port >= first && port <= last),
  )?.state
}

function bad(detail: string) {
  return refuse('SCAN_INVALID', detail)
}

interface OpenHost {
  address?: IpAddress
  timedOut: boolean
  up: boolean
  fromItself: boolean
  readonly listed: Map<string, PortState>
  readonly services: Map<string, string>
  /** By protocol: states of the ports that are not listed. */
  readonly extra: { protocol: Protocol | undefined; state: PortState; count: number; ports?: readonly Range[] }[]
}

function parseXml(text: string): Result<ScanRun, BadScan> {
  const scanned = new Map<Protocol, readonly Range[]>()
  let about: Pick<ScanRun, 'scanner' | 'commandLine'> = { scanner: 'nmap' }
  const found: ScanResult[] = []
  let host: OpenHost | undefined
  let port: { key: string } | undefined
  let depth = 0
  let finished = false
  for (const tag of tagsOf(text)) {
    if ('problem' in tag) return bad(tag.problem)
    const { name, kind, attributes } = tag
    if (depth === 0 && (name !== 'nmaprun' || kind !== 'open')) return bad('it is no result of nmap')
    if (depth === 0) about = aboutRun(attributes)
    depth += kind === 'open' ? 1 : kind === 'close' ? -1 : 0
    if (kind === 'close') {
      if (name === 'port') port = undefined
      if (name !== 'host' || host === undefined) continue
      const closed = closeHost(host, scanned)
      if (!closed.ok) return closed
      if (closed.value !== undefined) found.push(closed.value)
      host = undefined
      continue
    }
    if (name === 'scaninfo') {
      const protocol = protocolOf(attributes['protocol'])
      const ranges = parseRanges(attributes['services'] ?? '')
      if (ranges === undefined) return bad(`“${attributes['services']}” is no list of ports`)
      if (protocol !== undefined) scanned.set(protocol, ranges)
    } else if (name === 'finished') finished = attributes['exit'] === undefined || attributes['exit'] === 'success'
    else if (name === 'host') host = openHost(attributes['timedout'] === 'true')
    else if (host === undefined) continue
    else if (name === 'status') {
      host.up = attributes['state'] === 'up'
      host.fromItself = attributes['reason'] === 'localhost-response'
    } else if (name === 'address' && /^ipv[46]$/.test(attributes['addrtype'] ?? '')) {
      const address = parseAddress(attributes['addr'] ?? '')
      if (!address.ok) return bad(address.failure.detail)
      host.address = address.value
    } else if (name === 'extraports') {
      const state = portState(attributes['state'])
      const count = Number(attributes['count'])
      if (state === undefined || !(count >= 0)) return bad(`“${attributes['state']}” is no state of a port`)
      host.extra.push({ protocol: undefined, state, count })
    } else if (name === 'extrareasons' && attributes['ports'] !== undefined) {
      const last = host.extra.at(-1)
      const ranges = parseRanges(attributes['ports'])
      const protocol = protocolOf(attributes['proto'])
      if (last === undefined || ranges === undefined) return bad('it names ports that it does not list')
      if (last.ports === undefined) Object.assign(last, { protocol, ports: ranges })
      else if (last.protocol === protocol) Object.assign(last, { ports: [...last.ports, ...ranges] })
      else host.extra.push({ protocol, state: last.state, count: 0, ports: ranges })
    } else if (name === 'port') {
      const protocol = protocolOf(attributes['protocol'])
      const number = Number(attributes['portid'])
      if (!/^\d{1,5}$/.test(attributes['portid'] ?? '') || number > 65_535)
        return bad(`“${attributes['portid']}” is no port`)
      port = protocol === undefined ? undefined : { key: `${protocol}/${number}` }
    } else if (name === 'state' && port !== undefined) {
      const state = portState(attributes['state'])
      if (state === undefined) return bad(`“${attributes['state']}” is no state of a port`)
      host.listed.set(port.key, state)
    } else if ((name === 'service' || name === 'script') && port !== undefined) {
      const said = name === 'service' ? serviceText(attributes) : scriptText(attributes)
      const before = host.services.get(port.key)
      if (said !== undefined) host.services.set(port.key, before === undefined ? said : `${before}; ${said}`)
    }
  }
  if (!finished) return bad('the scan did not end: nmap writes “finished” last')
  return ok({ ...about, asked: scanned, hosts: found })
}

function openHost(timedOut: boolean): OpenHost {
  return { timedOut, up: false, fromItself: false, listed: new Map(), services: new Map(), extra: [] }
}

function aboutRun({ scanner = 'nmap', version = '', args }: Readonly<Record<string, string>>) {
  return { scanner: `${scanner} ${version}`.trim(), ...(args !== undefined && { commandLine: args }) }
}

/** As nmap shows it: `ssl/http nginx 1.22.1 (Debian)`. By the table of ports alone it is a guess. */
function serviceText({ name = '', method, tunnel, product, version, extrainfo }: Readonly<Record<string, string>>) {
  if (method !== 'probed') return undefined
  const shown = tunnel === undefined ? name : `${tunnel}/${name}`
  return [shown, product, version, extrainfo === undefined ? undefined : `(${extrainfo})`].filter(Boolean).join(' ')
}

/** Scripts whose output is a time. */
const OF_TIME = /time|date|clock|uptime|ntp-info/

function scriptText({ id = '', output = '' }: Readonly<Record<string, string>>): string | undefined {
  if (OF_TIME.test(id)) return undefined
  return id === BANNER_SCRIPT ? output.trim() : `${id}: ${output.trim()}`
}

/** The script of nmap that reads what a service says first. Our own scan writes the same. */
export const BANNER_SCRIPT = 'banner'

/** @returns undefined for a host that was down. */
function closeHost(
  { address, up, timedOut, fromItself, listed, services, extra }: OpenHost,
  scanned: ReadonlyMap<Protocol, readonly Range[]>,
): Result<ScanResult | undefined, BadScan> {
  if (!up) return ok(undefined)
  if (timedOut) return bad('nmap gave up on a host (--host-timeout): its ports are not known')
  if (address === undefined) return bad('a host has no address')
  const [only, ...more] = scanned
  // An older nmap says only how many: that is clear if it scanned one protocol, and has one state for the rest.
  const isClear = only !== undefined && more.length === 0 && extra.length === 1
  const others: ScanResult['others'][number][] = []
  const counted: ScanResult['counted'][number][] = []
  for (const { protocol, state, count, ports } of extra)
    if (ports !== undefined && protocol !== undefined) others.push({ protocol, state, ports })
    else if (isClear) others.push({ protocol: only[0], state, ports: only[1] })
    else counted.push({ state, count })
  return ok({ address, listed, others, services, counted, fromItself })
}

function parseGrepable(text: string): Result<ScanRun, BadScan> {
  const lines = text.split('\n').map((line) => line.trimEnd())
  if (!lines.some((line) => /^# Nmap done at .* scanned in [\d.]+ seconds$/.test(line)))
    return bad('the scan did not end: nmap writes “# Nmap done” last')
  const found = new Map<IpAddress, ScanResult>()
  const scanned = new Map<Protocol, readonly Range[]>()
  for (const line of lines) {
    if (line === '') continue
    if (line.startsWith('#')) {
      const [, list = ''] = /^# Ports scanned: (.*)$/.exec(line) ?? []
      for (const [, protocol = '', services = ''] of list.matchAll(/\b(TCP|UDP)\(\d+;([0-9,-]*)\)/g)) {
        const ranges = parseRanges(services)
        if (ranges === undefined) return bad(`“${services}” is no list of ports`)
        if (services !== '') scanned.set(protocol.toLowerCase() as Protocol, ranges)
      }
      continue
    }
    const [, addressText = '', rest = ''] = /^Host: (\S+) \([^)]*\)\t(.*)$/.exec(line) ?? []
    const address = parseAddress(addressText)
    if (!address.ok) return bad(`this line is not understood: ${line.slice(0, 60)}`)
    const fields = new Map(rest.split('\t').map((field) => split(field, ': ')))
    if (!fields.has('Ports') && !fields.has('Ignored State')) continue
    const listed = new Map<string, PortState>()
    const services = new Map<string, string>()
    for (const entry of (fields.get('Ports') ?? '').split(', ').filter(Boolean)) {
      const [number = '', state, protocol, , , , version = ''] = entry.split('/')
      const known = portState(state)
      if (!/^\d{1,5}$/.test(number) || known === undefined || protocolOf(protocol) === undefined)
        return bad(`this port is not understood: ${entry.slice(0, 60)}`)
      listed.set(`${protocol}/${Number(number)}`, known)
      if (version !== '') services.set(`${protocol}/${Number(number)}`, version)
    }
    const ignored = ignoredIn(fields.get('Ignored State'), listed, scanned)
    if (ignored === undefined) return bad(`this state is not understood: ${fields.get('Ignored State')}`)
    found.set(address.value, { address: address.value, listed, services, ...ignored, fromItself: false })
  }
  const [, version = '', commandLine] = /^# Nmap (\S+) scan initiated .*? as: (.*)$/.exec(lines[0] ?? '') ?? []
  return ok({
    ...{ scanner: `nmap ${version}`.trim(), asked: scanned, hosts: [...found.values()] },
    ...(commandLine !== undefined && { commandLine }),
  })
}

/** `filtered (65534)`: which ports these are is clear only for one protocol. */
function ignoredIn(
  text: string | undefined,
  listed: ReadonlyMap<string, PortState>,
  scanned: ReadonlyMap<Protocol, readonly Range[]>,
): Pick<ScanResult, 'others' | 'counted'> | undefined {
  if (text === undefined) return { others: [], counted: [] }
  const [, word, count = ''] = /^(\S+) \((\d+)\)$/.exec(text) ?? []
  const state = portState(word)
  if (state === undefined) return undefined
  const [only, ...more] = scanned
  const summedUp = (protocol: Protocol, ports: readonly Range[]) => ({
    others: [{ protocol, state, ports }],
    counted: [],
  })
  if (only !== undefined && more.length === 0) return summedUp(...only)
  const protocols = new Set([...listed.keys()].map((key) => key.split('/')[0]))
  const all = Number(count) + listed.size === 65_535
  const [protocol] = protocols
  if (!all || protocols.size > 1) return { others: [], counted: [{ state, count: Number(count) }] }
  return summedUp(protocolOf(protocol) ?? 'tcp', [[1, 65_535]])
}

function split(text: string, at: string): readonly [string, string] {
  const index = text.indexOf(at)
  return index < 0 ? [text, ''] : [text.slice(0, index), text.slice(index + at.length)]
}

function protocolOf(text: string | undefined): Protocol | undefined {
  return text === 'tcp' || text === 'udp' ? text : undefined
}

function portState(text: string | undefined): PortState | undefined {
  return PORT_STATES.find((each) => each === text)
}

/** `1-1000,3306`. Empty: none. */
export function parseRanges(text: string): readonly Range[] | undefined {
  if (text === '') return []
  const ranges: Range[] = []
  for (const part of text.split(',')) {
    const [, first = '', last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part) ?? []
    const range: Range = [Number(first), Number(last)]
    if (first === '' || range[0] > range[1] || range[1] > 65_535) return undefined
    ranges.push(range)
  }
  return ranges
}
