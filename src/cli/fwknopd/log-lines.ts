/**
 * The log of the server as lines of text, in the words of fwknopd, for the scripts and log filters that read them. One
 * event of the structured log is no line, one or several. A line stands only for what has happened: where this server
 * does something else than fwknopd, it says something else. Nothing is left out: an event without words of fwknopd's is
 * told in plain words.
 *
 * docs/FWKNOP-COMMANDS.md lists the lines.
 */
import { type FailureCode, failureKinds } from '../../failure-codes.ts'
import type { LogField, LogLevel } from '../../log.ts'
import { wordsFor } from './fault-words.ts'
import { packetLines } from './packet-lines.ts'

/** `debug`: only with `-v`. The others are those of the structured log. */
export type Priority = LogLevel | 'debug'

export interface LogLine {
  readonly priority: Priority
  readonly text: string
}

/** Where the rules of each kind are, as the lines name it. */
export interface RulePlaces {
  /** The table of `access`, if that is a chain of iptables. */
  readonly table?: string
  readonly access: string
  readonly forward: string
  readonly dnat: string
  readonly snat: string
  readonly masquerade: string
}

export interface LineContext {
  readonly places: RulePlaces
  /** Seconds since 1970: when the event was. */
  readonly now: number
  /** `PCAP_FILTER` and `PCAP_INTF` as the files and the command line give them. */
  readonly filter: string | undefined
  /** PACKET_LIMIT */
  readonly packetLimit: number | undefined
  /** There are too many lines: of a packet that nobody could open, only the first stanza is told. */
  readonly isBrief?: boolean
}

type Fields = { readonly [name: string]: LogField }

const warning = (text: string): LogLine => ({ priority: 'warning', text })
const info = (text: string): LogLine => ({ priority: 'info', text })
const debug = (text: string): LogLine => ({ priority: 'debug', text })

/** @returns the lines for one event of the structured log. */
export function fwknopdLines(level: LogLevel, event: string, fields: Fields, context: LineContext): readonly LogLine[] {
  switch (event) {
    case 'starting':
      return [info('Starting fwknopd')]
    case 'ready':
      return readyLines(fields, context)
    case 'signal':
      return signalLines(fields)
    case 'restarted':
      return [info('Re-starting fwknopd')]
    case 'stopping':
      return [info(fields['again'] === true ? 'Gracefully leaving the fwknopd event loop.' : 'Shutting Down fwknopd.')]
    case 'finished':
      return finishedLines(fields, context)
    case 'knock':
      return fields['verdict'] === 'granted'
        ? [...deniedLines(level, fields), ...grantedLines(fields, context)]
        : [...deniedLines(level, fields), ...refusedLines(level, fields)]
    case 'gate':
      return [
        { priority: level, text: plainLine(event, fields) },
        ...(fields['verdict'] === 'granted' ? addedRules(fields, context) : []),
      ]
    case 'command':
      return commandEnded(level, fields)
    case 'cycle':
      return cycleLines(level, fields)
    case 'refused':
      return fields['tried'] === undefined ? refusedLines(level, fields) : triedLines(level, fields, context)
    case 'rules':
    case 'configuration':
      return list(fields['lines']).map(debug)
    case 'grant expired':
      return expiredLines(fields, context)
    case 'rule removed': {
      const { rule, chain, until } = fields
      return [info(`Removed rule ${text(rule)} from ${text(chain)} with expire time of ${text(until)}`)]
    }
    case 'notice': {
      const words = wordsFor(text(fields['text']))
      return [
        ...(words === undefined ? [] : [warning(`[*] ${words}`)]),
        { priority: level, text: plainLine(event, fields) },
      ]
    }
    default:
      return [{ priority: level, text: plainLine(event, fields) }]
  }
}

function readyLines(fields: Fields, { filter, places }: LineContext): readonly LogLine[] {
  const captures = text(fields['capture']).split(',')
  const ports = list(fields['ports'])
  const source =
    fields['file'] === undefined
      ? `Sniffing interface: ${list(fields['interfaces']).join(',')}`
      : `Reading pcap file: ${text(fields['file'])}`
  const passive =
    captures.includes('packet') || captures.includes('pcap-file')
      ? [info(source), info(`PCAP filter is: '${filter ?? ports.map((port) => `udp port ${port}`).join(' or ')}'`)]
      : []
  const udp = captures.includes('udp') ? [info(`Kicking off UDP server to listen on port ${ports.join(', ')}.`)] : []
  const tcpPorts = list(fields['tcpPorts'])
  const tcp = tcpPorts.length > 0 ? [info(`Kicking off TCP server to listen on port ${tcpPorts.join(', ')}.`)] : []
  // The firewall was installed before.
  const chain = places.table === undefined ? [] : [debug(`'${places.table}' table '${places.access}' chain exists`)]
  return [...chain, ...tcp, ...passive, ...udp, info('Starting fwknopd main event loop.')]
}

/** All packets were looked at that should be: as many as `-C` says, or those of a file. */
function finishedLines({ looked }: Fields, { packetLimit }: LineContext): readonly LogLine[] {
  const leaving = info('Gracefully leaving the fwknopd event loop.')
  if (packetLimit === undefined || Number(looked) < packetLimit) return [leaving]
  return [
    warning(`* Incoming packet count limit of ${packetLimit} reached`),
    leaving,
    info(`Packet count limit (${packetLimit}) reached. Exiting...`),
  ]
}

function signalLines({ signal }: Fields): readonly LogLine[] {
  const name = text(signal)
  return [warning(name === 'SIGHUP' ? 'Got SIGHUP. Re-reading configs.' : `Got ${name}. Exiting...`)]
}

/** fwknopd’s line for a packet of which the SOURCE of a stanza matched. */
function sourceMatch(fields: Fields): readonly LogLine[] {
  const { stanza, source } = fields
  if (stanza === undefined) return []
  const match = info(`(stanza #${text(stanza)}) SPA Packet from IP: ${text(source)} received with access source match`)
  return [match, ...packetLines(fields).map(debug)]
}

function grantedLines(fields: Fields, context: LineContext): readonly LogLine[] {
  if (fields['dryRun'] === true) {
    const at = `[${text(fields['source'])}] (stanza #${text(fields['stanza'])})`
    return [...sourceMatch(fields), warning(`${at} --test mode enabled, skipping firewall manipulation.`)]
  }
  // Its job has lines of its own.
  if (fields['cycle'] !== undefined) return sourceMatch(fields)
  if (fields['command'] !== undefined) {
    const at = `[${text(fields['source'])}] (stanza #${text(fields['stanza'])})`
    return [...sourceMatch(fields), info(`${at} Processing SPA Command message: command='${text(fields['command'])}'.`)]
  }
  const shut = fields['shutBy']
  const remark =
    shut === undefined
      ? []
      : [warning(`The host’s own firewall keeps this shut for ${text(fields['for'])}: ${text(shut)}`)]
  return [...sourceMatch(fields), ...addedRules(fields, context), ...remark]
}

function addedRules(fields: Fields, { places, now }: LineContext): readonly LogLine[] {
  const source = text(fields['for'])
  const until = now + Number(fields['lifetime'])
  const adder =
    (to: string) =>
    (what: string, place: string, target: string): LogLine =>
      info(`Added ${what} rule to ${place} for ${source} -> ${to} ${target}, expires at ${until}`)
  // The old rule goes when the new one is there.
  const exists = (to: string, target: string): readonly LogLine[] =>
    fields['renewed'] === true
      ? [info(`A rule for ${source} -> ${to} ${target} already exists in ${places.access}: its time starts again`)]
      : []
  return text(fields['grant'])
    .split(',')
    .flatMap((opening) => {
      const { kind, publicPort, rest, at = anyOf(source) } = readOpening(opening)
      const added = adder(at)
      if (kind === 'access') return [...exists(at, publicPort), added('access', places.access, publicPort)]
      if (kind === 'ghost') return [added('local NAT', places.access, rest), added('DNAT', places.dnat, publicPort)]
      const [, translation] = /~(.*)$/.exec(rest) ?? []
      return [
        ...(kind === 'divert'
          ? []
          : [added(kind === 'transit' ? 'FORWARD ALL' : 'FORWARD', places.forward, publicPort)]),
        ...(kind === 'transit' ? [] : [added(kind === 'divert' ? 'DNAT ALL' : 'DNAT', places.dnat, publicPort)]),
        ...(translation === undefined
          ? []
          : translation === 'masquerade'
            ? [added('MASQUERADE', places.masquerade, publicPort)]
            : [added('SNAT', places.snat, publicPort)]),
      ]
    })
}

/** How a program ended: `returned 0`. */
function howEnded(fields: Fields): string {
  const { end, status, signal, why } = fields
  if (end === 'exit') return `returned ${text(status)}`
  return [text(end), signal ?? why].filter((part) => part !== undefined).join(': ')
}

/** Who and which stanza, and how a warning goes on: with the reason and the output. */
function commandEnded(level: LogLevel, fields: Fields): readonly LogLine[] {
  const { output } = fields
  const said = output === undefined ? '' : `, output: ${text(output)}`
  return [
    {
      priority: level,
      text: `[${text(fields['for'])}] (stanza #${text(fields['stanza'])}) CMD_EXEC: command ${howEnded(fields)}${said}`,
    },
  ]
}

function cycleLines(level: LogLevel, fields: Fields): readonly LogLine[] {
  const at = `[${text(fields['for'])}] (stanza #${text(fields['stanza'])})`
  const { cycle, ran, close, because } = fields
  const failed =
    level === 'info' ? [] : [{ priority: level, text: `${at} The command ${howEnded(fields)}: ${text(ran)}` }]
  switch (cycle) {
    case 'opened':
    case 'not opened':
      return [
        ...(ran === undefined ? [] : [info(`${at} Running CMD_CYCLE_OPEN command: ${text(ran)}`)]),
        ...(close === undefined
          ? []
          : [info(`${at} Running CMD_CYCLE_CLOSE command in ${text(fields['lifetime'])} seconds: ${text(close)}`)]),
        ...failed,
      ]
    case 'closed':
    case 'not closed':
      return [
        info(`${at} ${text(because ?? 'Timer expired')}, running CMD_CYCLE_CLOSE command: ${text(ran)}`),
        ...failed,
      ]
    default:
      return [{ priority: level, text: plainLine('cycle', fields) }]
  }
}

/** The text of describeOpening(): `tcp/22`, `tcp/80→22`, `tcp/443→10.0.0.5:8443~masquerade`, `through→anywhere`. */
export function readOpening(opening: string): {
  readonly kind: 'access' | 'ghost' | 'forward' | 'transit' | 'divert'
  /** `tcp/80` */
  readonly publicPort: string
  /** Of a ghost service: `tcp/22`. Of a forward: the target and the translation. */
  readonly rest: string
  /** The only address of the server where it counts. */
  readonly at?: string
} {
  const [asked = '', target] = opening.split('→')
  const [publicPort = '', at] = asked.split('@')
  const only = at === undefined ? {} : { at }
  if (target === undefined) return { kind: 'access', publicPort, rest: '', ...only }
  // In fwknop’s words: every protocol and port. The log line of ghostport itself names the limits.
  if (publicPort === 'through') return { kind: 'transit', publicPort: '*/*', rest: target }
  if (publicPort === 'all') return { kind: 'divert', publicPort: '*/*', rest: target }
  const [protocol = ''] = publicPort.split('/')
  return /^[0-9]+$/.test(target)
    ? { kind: 'ghost', publicPort, rest: `${protocol}/${target}`, ...only }
    : { kind: 'forward', publicPort, rest: target, ...only }
}

function anyOf(source: string): string {
  return source.includes(':') ? '::/0' : '0.0.0.0/0'
}

function expiredLines(fields: Fields, { places }: LineContext): readonly LogLine[] {
  const placeOf = {
    access: places.access,
    ghost: places.dnat,
    forward: places.forward,
    transit: places.forward,
    divert: places.dnat,
  }
  return text(fields['grant'])
    .split(',')
    .map((opening) => {
      const { kind, publicPort } = readOpening(opening)
      const rule = `rule ${publicPort} for ${text(fields['for'])}`
      return info(`Removed ${rule} from ${placeOf[kind]} with expire time of ${text(fields['until'])}`)
    })
}

/** Stanzas that were asked besides the one that the event is about, and did not allow the packet. */
function deniedLines(level: LogLevel, fields: Fields): readonly LogLine[] {
  const { tried, text: _, message: __, ...rest } = fields
  if (!Array.isArray(tried)) return []
  return (tried as Fields[]).flatMap((denial) => refusedLines(level, { ...rest, ...denial }))
}

/** Stanzas for the source of a packet that none of their keys opened. */
function triedLines(level: LogLevel, fields: Fields, { isBrief = false }: LineContext): readonly LogLine[] {
  const { tried, code: closest, ...rest } = fields
  const told = isBrief ? (tried as Fields[]).slice(0, 1) : (tried as Fields[])
  return told.flatMap(({ stanza, code }) => {
    const one = { ...rest, stanza, code }
    if (code === 'SPA_HMAC_MISMATCH' || code === 'SPA_DECRYPT_FAILED') return refusedLines(level, one)
    const kind = failureKinds[text(code) as FailureCode]
    const why = code === closest ? `${kind.sentence}: ${text(fields['detail'])}` : kind.sentence
    const at = `[${text(fields['source'])}] (stanza #${text(stanza)})`
    const words = /” is neither an address nor a host name$/.test(why) ? 'Invalid Hostname in NAT SPA message: ' : ''
    return [...sourceMatch(one), warning(`${at} Error creating fko context: ${words}${why} [${text(code)}]`)]
  })
}

/** Refusals that fwknopd has a line for. The others are told with their reason and code. */
function refusedLines(level: LogLevel, fields: Fields): readonly LogLine[] {
  const source = text(fields['source'])
  const stanza = fields['stanza'] === undefined ? '' : `(stanza #${text(fields['stanza'])}) `
  const at = `[${source}] ${stanza}`
  const match = sourceMatch(fields)
  switch (fields['code']) {
    case 'SPA_LENGTH':
    case 'SPA_MALFORMED':
      return [
        debug(
          `[${source}] Error creating fko context: Args contain invalid data: Not SPA data: ${text(fields['detail'])}`,
        ),
      ]
    case 'ACCESS_NO_SOURCE':
      return [warning(`No access data found for source IP: ${source}`)]
    case 'SPA_HMAC_MISMATCH':
      return [
        ...match,
        warning(`${at}Error creating fko context: Args contain invalid data: FKO_ERROR_INVALID_DATA_HMAC_COMPAREFAIL`),
      ]
    case 'SPA_DECRYPT_FAILED':
      return [...match, warning(`${at}Error creating fko context: Decryption failed or decrypted data is invalid`)]
    case 'SPA_REPLAYED':
      return [
        warning(
          `Replay detected from source IP: ${source}, Destination proto/port: 17/${text(fields['destinationPort'])}`,
        ),
      ]
    case 'SPA_STALE':
    case 'SPA_FROM_FUTURE':
      return [...match, warning(`${at}SPA data time difference is too great (${difference(fields)} seconds).`)]
    case 'ACCESS_EXPIRED':
      return [...match, info(`${at}Access stanza has expired`)]
    case 'ACCESS_SOURCE_REQUIRED':
      return [...match, warning(`${at}Got 0.0.0.0 when valid source IP was required.`)]
    case 'ACCESS_USERNAME_DENIED':
      return [...match, warning(`${at}Username in SPA data (${text(fields['user'])}) does not match required username`)]
    case 'ACCESS_PORT_DENIED':
      return [...match, warning(`${at}One or more requested protocol/ports was denied per access.conf.`)]
    case 'ACCESS_NAT_DISABLED':
      return [
        ...match,
        warning(`${stanza}SPA packet from ${source} requested NAT access, but is not enabled/supported`),
      ]
    case 'ACCESS_COMMAND_DENIED':
      if (/ words, and fwknopd runs at most /.test(text(fields['detail'])))
        return [...match, warning(`${at}Error converting cmd str to argv: ${text(fields['detail'])}`)]
      return [...match, warning(`${at}SPA Command messages are not allowed in the current configuration.`)]
    default: {
      const words = natWords(text(fields['detail']))
      const reason = `${text(fields['reason'])}: ${text(fields['detail'])} [${text(fields['code'])}]`
      return [...match, ...words, { priority: level, text: `${at}${reason}` }]
    }
  }
}

/** fwknopd’s words about the name of an inner host, by our own sentence. */
function natWords(detail: string): readonly LogLine[] {
  if (/” is a name, and ENABLE_NAT_DNS is N$/.test(detail))
    return [warning('Received Hostname in NAT SPA message, but hostname is disabled.')]
  if (/^“[^”]*” cannot be resolved: /.test(detail)) return [warning('Unable to resolve Hostname in NAT SPA message')]
  return []
}

function difference({ clock, detail }: Fields): string {
  if (typeof clock !== 'object' || Array.isArray(clock)) return text(detail)
  const { packet, server } = clock as Fields
  return `${Math.abs(Number(server) - Number(packet))}`
}

/** Fields that are part of the sentence, in the order that they are told. */
const SENTENCE = ['text', 'reason', 'detail'] as const
const PLACE = ['file', 'line'] as const

/** `notice: FILE:LINE: what is the matter (name=value)`. */
function plainLine(event: string, fields: Fields): string {
  const sentence = SENTENCE.flatMap((name) => (fields[name] === undefined ? [] : [text(fields[name])])).join(': ')
  const place =
    fields['file'] === undefined
      ? ''
      : `${PLACE.map((name) => text(fields[name]))
          .filter(Boolean)
          .join(':')}: `
  const told = new Set<string>([...SENTENCE, ...PLACE, 'dryRun'])
  const more = Object.entries(fields)
    .filter(([name, value]) => !told.has(name) && value !== undefined)
    .map(([name, value]) => `${name}=${text(value)}`)
  const head = event === 'notice' ? '' : `${event}: `
  const what = [`${place}${sentence}`, ...(more.length === 0 ? [] : [`(${more.join(', ')})`])]
  return `${head}${what.filter((part) => part !== '').join(' ')}`
}

function list(value: LogField): readonly string[] {
  return Array.isArray(value) ? value.map(text) : value === undefined ? [] : [text(value as LogField)]
}

function text(value: LogField): string {
  if (value === undefined) return ''
  if (Array.isArray(value)) return value.map(text).join(' ')
  if (typeof value === 'object')
    return Object.entries(value)
      .map(([name, inner]) => `${name}=${text(inner)}`)
      .join(' ')
  return String(value)
}
