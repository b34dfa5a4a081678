/** From the variables that fwknopd.conf gives to a {@link ServerConfig}: defaults, and which of them go together. */
import type { AccountName } from '../../access/command.ts'
import type { Policy } from '../../access/policy.ts'
import { STANDARD_SPA_PORT } from '../../packet/protocol-port.ts'
import { ok, type Refused, type Result, refuse, type SourceLocation } from '../../result.ts'
import { milliseconds, seconds } from '../../units.ts'
import { GNUPG_DEFAULTS } from '../access/gnupg-keys.ts'
import type { Dialect } from '../reading/dialect.ts'
import type { ConfigFailure, Notice } from '../reading/notice.ts'
import { folderOf, relativeTo } from '../reading/paths.ts'
import { type ClusterConfig, type NodeName, staysHere } from './cluster-settings.ts'
import {
  DEFAULT_FIREWALL_PROGRAM,
  DEFAULT_MARK,
  DEFAULT_MAX_GRANTS,
  DEFAULT_MAX_RULES,
  DEFAULT_TABLE,
  DEFAULT_TABLE_OWNER,
  defaultChains,
  type FirewallConfig,
  isIptables,
  type RelayListener,
} from './firewall-settings.ts'
import type { UsedSetting, usedSettings } from './fwknopd-settings.ts'
import { type HookConfig, isOwnHost } from './hook-settings.ts'
import { formatFilter, mayPass, portsFilter, toPorts, without } from './pcap-filter.ts'
import { type CaptureConfig, type ServerConfig, socketPorts } from './server-config.ts'
import { type CapturePort, formatCapturePort, sameCapturePorts } from './spa-ports.ts'

type Values = {
  [Name in UsedSetting]?: ReturnType<(typeof usedSettings)[Name]> extends infer R
    ? Extract<R, { ok: true }> extends { value: infer T }
      ? T
      : never
    : never
}

const USUAL_REPLAY_DB = '/var/lib/ghostport/replay.db'
/** Without AUDIT_LOG and REPLAY_DB. */
export const USUAL_AUDIT_LOG = '/var/lib/ghostport/audit.log'

/** Where the file sets a variable. */
export type SettingLocations = { [Name in UsedSetting]?: SourceLocation }

/** The value of each variable that the file or the command line sets. */
export type SettingValues = { readonly [Name in UsedSetting]?: unknown }

/** What the file says, read. */
export interface GivenSettings {
  readonly values: Values
  readonly at: SettingLocations
  /**
   * Whose value began with FWKNOP_CONF_DIR: a path that is whole, also where the path of the file itself is relative.
   */
  readonly expanded: Set<UsedSetting>
  readonly relays: { readonly listener: RelayListener; readonly at: SourceLocation }[]
  /** Whose defaults count. */
  readonly dialect?: Dialect | undefined
  /** `-v` of fwknopd: it counts in addition to VERBOSE. */
  readonly verbose?: number
}

const DEFAULT_MAX_AGE = 120
const DEFAULT_GATEWAY_AGE = 30
/** An etcd that loses its leader has another after 2 s. */
const DEFAULT_CLUSTER_TIMEOUT = milliseconds(3000)
/** A day: a cluster that lost its etcd in the evening lets people in until the next. */
const DEFAULT_COPY_AGE = seconds(86_400)
const ALL_RIGHTS = ['revoke', 'extend', 'reload', 'users'] as const
const FWKNOPD_INTERFACES: readonly string[] = ['eth0']
const DEFAULT_PACKETS_PER_KEY = 20_000
const DEFAULT_MAX_BYTES = 1500
const DEFAULT_LOG_LIMIT = 10
/** Of a file, each packet is told: its length is the limit. */
const FILE_LOG_LIMIT = 1_000_000
const DEFAULT_COMMAND_TIMEOUT = 30
/** Seconds. */
const DEFAULT_INTERFACE_INTERVAL = 20
const DEFAULT_HOOK_USER = 'nobody' as AccountName

export function assembleServerConfig(
  file: string,
  given: GivenSettings,
  notices: Notice[],
): Result<ServerConfig, ConfigFailure> {
  const { values } = given
  const captures = assembleCaptures(given, notices)
  if (!captures.ok) return captures
  if (values.ENABLE_SPA_OVER_HTTP === true && !captures.value.some(takesTcp))
    warn('ENABLE_SPA_OVER_HTTP', ONLY_UDP, given.at, notices)
  const policy = assemblePolicy(given, notices)
  const gateways = assembleGateways(given, policy, captures.value, notices)
  if (!gateways.ok) return gateways
  const assembled = assembleFirewall(file, given, notices)
  if (!assembled.ok) return assembled
  const firewall = ok(withKnocks(assembled.value, captures.value))
  const hooks = assembleHooks(given, notices)
  if (!hooks.ok) return hooks
  const cluster = assembleCluster(given, policy, notices)
  if (!cluster.ok) return cluster
  const resolved = (name: UsedSetting, path: string, folder: string): string =>
    given.expanded.has(name) ? path : relativeTo(folder, path)
  if (values.ACCESS_FOLDER !== undefined) noEffect('ACCESS_FILE', 'ACCESS_FOLDER replaces it', given.at, notices)
  const runFolder = values.FWKNOP_RUN_DIR ?? '/run/fwknop'
  const digests = resolved('DIGEST_FILE', values.DIGEST_FILE ?? 'digest.cache', runFolder)
  const isFwknopd = given.dialect === 'fwknopd'
  // fwknopd finds all that is its own by two paths: servers with different ones can run beside each other.
  const ownRunFolder = isFwknopd && values.FWKNOP_RUN_DIR !== undefined
  const ownDigests = isFwknopd && (values.DIGEST_FILE !== undefined || ownRunFolder)
  const database = values.REPLAY_DB ?? (ownDigests ? `${digests}.db` : USUAL_REPLAY_DB)
  const pidFile = values.FWKNOP_PID_FILE ?? (isFwknopd ? 'fwknopd.pid' : undefined)
  return ok({
    captures: captures.value,
    ...assembleInterfaceChecks(given, captures.value, notices),
    ...(values.PACKET_LIMIT !== undefined && { packetLimit: values.PACKET_LIMIT }),
    policy: { ...policy, ...gateways.value },
    firewall: firewall.value,
    ...assembleConsole(given, notices),
    ...(cluster.value !== undefined && { cluster: cluster.value }),
    auditLog: values.AUDIT_LOG ?? `${folderOf(database)}/audit.log`,
    replay: {
      database,
      packetsPerKey: values.MAX_PACKETS_PER_KEY ?? DEFAULT_PACKETS_PER_KEY,
      fwknopDigests: {
        path: digests,
        named: values.DIGEST_FILE !== undefined,
      },
    },
    accessFile: resolved('ACCESS_FILE', values.ACCESS_FILE ?? 'access.conf', values.FWKNOP_CONF_DIR ?? folderOf(file)),
    ...(values.ACCESS_FOLDER !== undefined && {
      accessFolder: resolved('ACCESS_FOLDER', values.ACCESS_FOLDER, values.FWKNOP_CONF_DIR ?? folderOf(file)),
    }),
    controlSocket:
      values.CONTROL_SOCKET ?? (ownRunFolder ? `${runFolder}/control.sock` : '/run/ghostport/control.sock'),
    ...(pidFile === undefined ? {} : { pidFile: resolved('FWKNOP_PID_FILE', pidFile, runFolder) }),
    gnupg: {
      home: values.GPG_HOME_DIR ?? GNUPG_DEFAULTS.home,
      program: values.GPG_EXE ?? GNUPG_DEFAULTS.program,
    },
    ...(values.RECEIVER_USER !== undefined && { receiverUser: values.RECEIVER_USER }),
    ...(hooks.value !== undefined && { hooks: hooks.value }),
    commands: {
      sudo: values.SUDO_EXE ?? '/usr/bin/sudo',
      timeout: seconds(values.CMD_EXEC_TIMEOUT ?? DEFAULT_COMMAND_TIMEOUT),
    },
    refusalsPerSecond: values.LOG_LIMIT ?? (values.PCAP_FILE === undefined ? DEFAULT_LOG_LIMIT : FILE_LOG_LIMIT),
    lines: assembleLines(given, notices),
  })
}

/** Of single interfaces. With `any` there is none to check. */
const LINK_CHECKS = ['ENABLE_INTF_EXISTS_CHECK', 'ENABLE_INTF_RUNNING_CHECK', 'ENABLE_INTF_BYTES_CHECK'] as const

function assembleInterfaceChecks(
  { values, at }: GivenSettings,
  captures: readonly CaptureConfig[],
  notices: Notice[],
): Pick<ServerConfig, 'interfaceChecks'> {
  const others = [
    'INTF_CHECKS_INTERVAL',
    ...LINK_CHECKS,
    'ENABLE_INTF_ADDRESS_CHECK',
    'ENABLE_INTF_RECEIVED_CHECK',
  ] as const
  const isFile = captures.some(({ kind }) => kind === 'pcap-file')
  if (isFile || values.ENABLE_INTF_CHECKS === false) {
    const why = isFile ? 'packets come from PCAP_FILE' : 'ENABLE_INTF_CHECKS is N'
    for (const name of isFile ? (['ENABLE_INTF_CHECKS', ...others] as const) : others) noEffect(name, why, at, notices)
    return {}
  }
  if (!captures.some(({ kind, interfaces }) => kind === 'packet' && interfaces !== 'any'))
    for (const name of LINK_CHECKS)
      noEffect(name, 'it checks the interfaces that PCAP_INTF names, and there are none', at, notices)
  return {
    interfaceChecks: {
      interval: seconds(values.INTF_CHECKS_INTERVAL ?? DEFAULT_INTERFACE_INTERVAL),
      exists: values.ENABLE_INTF_EXISTS_CHECK ?? true,
      running: values.ENABLE_INTF_RUNNING_CHECK ?? true,
      bytes: values.ENABLE_INTF_BYTES_CHECK ?? true,
      addresses: values.ENABLE_INTF_ADDRESS_CHECK ?? true,
      received: values.ENABLE_INTF_RECEIVED_CHECK ?? true,
    },
  }
}

/** The log of fwknopd. That of ghostport is JSON on standard output. */
function assembleLines({ values, at, dialect, verbose = 0 }: GivenSettings, notices: Notice[]): ServerConfig['lines'] {
  if (dialect !== 'fwknopd') {
    noEffect('VERBOSE', 'the log already has a line for each packet that was examined', at, notices)
    noEffect('SYSLOG_IDENTITY', 'the log goes to standard output; the service manager adds the name', at, notices)
    noEffect('SYSLOG_FACILITY', 'the log goes to standard output; the service manager stores it', at, notices)
  }
  return {
    verbosity: (values.VERBOSE ?? 0) + verbose,
    identity: values.SYSLOG_IDENTITY ?? 'fwknopd',
    facility: values.SYSLOG_FACILITY ?? 'LOG_DAEMON',
  }
}

type CaptureWord = 'packet' | 'udp' | 'tcp' | 'none'

function assembleCaptures(given: GivenSettings, notices: Notice[]): Result<readonly CaptureConfig[], ConfigFailure> {
  const { values, at } = given
  const maxBytes = values.MAX_SNIFF_BYTES ?? DEFAULT_MAX_BYTES
  if (values.PCAP_FILE !== undefined) {
    for (const name of [...CAPTURE_SETTINGS, 'UDPSERV_PORT', 'TCPSERV_PORT', ...PASSIVE_SETTINGS] as const)
      if (name !== 'PCAP_FILTER') noEffect(name, 'packets come from PCAP_FILE', at, notices)
    const asked = assemblePassive(given)
    if (!asked.ok) return asked
    const file = { kind: 'pcap-file', path: values.PCAP_FILE, endsServer: given.dialect !== 'fwknopd' } as const
    return ok([{ ...file, interfaces: 'any', ...asked.value, maxBytes }])
  }
  const words = chosenCaptures(given)
  if (!words.ok) return words
  const has = (word: CaptureWord): boolean => words.value.includes(word)
  if (has('none')) return captureNothing(words.value, given, notices)
  const interfaces = values.PCAP_INTF ?? (given.dialect === 'fwknopd' ? FWKNOPD_INTERFACES : 'any')
  const captures: CaptureConfig[] = []
  const udp = has('udp') ? assembleUdp(given) : undefined
  if (udp?.ok === false) return udp
  const tcp = has('tcp') ? (values.TCPSERV_PORT ?? STANDARD_SPA_PORT) : undefined
  if (has('packet')) {
    const asked = has('udp') ? assembleBeside(given) : assemblePassive(given)
    if (!asked.ok) return asked
    const others = { udp: udp?.value.ports ?? [], tcp: tcp === undefined ? [] : [tcp] }
    captures.push({
      ...{ kind: 'packet', interfaces, ...exceptFor(others, asked.value), maxBytes },
      ...(values.ENABLE_PCAP_PROMISC === true && { promiscuous: true }),
      ...(values.ENABLE_PCAP_ANY_DIRECTION === true && { outgoing: true }),
    })
  }
  if (udp !== undefined) captures.push({ kind: 'udp', interfaces, ...udp.value, maxBytes })
  if (tcp !== undefined) captures.push({ kind: 'tcp-server', interfaces, ports: [tcp], maxBytes })
  const how = `packets are captured ${HOW[words.value[0] ?? 'packet']}`
  if (!has('packet')) for (const name of PASSIVE_SETTINGS) noEffect(name, how, at, notices)
  if (!has('udp')) noEffect('UDPSERV_PORT', how, at, notices)
  if (!has('tcp')) noEffect('TCPSERV_PORT', 'there is no TCP server without ENABLE_TCP_SERVER Y', at, notices)
  const showsAll = given.dialect === 'fwknopd' && verbosity(given) > 1
  return ok(showsAll ? captures.map((capture) => ({ ...capture, showsAll })) : captures)
}

/** A node that opens only what others have granted. */
function captureNothing(
  words: readonly CaptureWord[],
  given: GivenSettings,
  notices: Notice[],
): Result<readonly CaptureConfig[], ConfigFailure> {
  const { CLUSTER: cluster, CLUSTER_SECRET_FILE: secret } = given.values
  if (words.length > 1) return conflict('CAPTURE', 'CAPTURE none stands alone: a server that captures nothing', given)
  if (cluster === undefined || secret === undefined)
    return conflict(
      'CAPTURE',
      'CAPTURE none is for a node that opens what others of its cluster grant. It needs CLUSTER and CLUSTER_SECRET_FILE',
      given,
    )
  for (const name of [...PASSIVE_SETTINGS, 'SPA_PORTS', 'UDPSERV_PORT', 'TCPSERV_PORT'] as const)
    noEffect(name, 'nothing is captured (CAPTURE none)', given.at, notices)
  return ok([])
}

const ONLY_UDP =
  'only UDP is captured, and HTTP requests come by TCP. Name the port of the web server (PCAP_FILTER tcp port 80), or set ENABLE_TCP_SERVER Y'

function takesTcp({ kind, filter }: CaptureConfig): boolean {
  return kind === 'tcp-server' || (filter !== undefined && mayPass(filter, 'tcp'))
}

const HOW = { packet: 'from the interface', udp: 'by a UDP socket', tcp: 'by a TCP server', none: 'nowhere' } as const
/** Of `packet` only. */
const PASSIVE_SETTINGS = ['PCAP_INTF', 'PCAP_FILTER', 'ENABLE_PCAP_PROMISC', 'ENABLE_PCAP_ANY_DIRECTION'] as const
const CAPTURE_SETTINGS = ['CAPTURE', 'ENABLE_UDP_SERVER', 'ENABLE_TCP_SERVER'] as const

/** CAPTURE, or what fwknop's own switches say: a TCP server beside the interface or the UDP socket. */
function chosenCaptures(given: GivenSettings): Result<readonly CaptureWord[], ConfigFailure> {
  const { CAPTURE: named, ENABLE_UDP_SERVER: udp, ENABLE_TCP_SERVER: tcp } = given.values
  if (named === undefined) return ok([udp === true ? 'udp' : 'packet', ...(tcp === true ? (['tcp'] as const) : [])])
  for (const [word, wanted] of [
    ['udp', udp],
    ['tcp', tcp],
  ] as const)
    if (wanted !== undefined && wanted !== named.includes(word))
      return conflict(
        'CAPTURE',
        `CAPTURE ${named.join(', ')} contradicts ENABLE_${word.toUpperCase()}_SERVER ${wanted ? 'Y' : 'N'}`,
        given,
      )
  return ok([...new Set(named)])
}

/** What is captured passively beside a UDP socket: only what PCAP_FILTER says. SPA_PORTS are the socket's. */
function assembleBeside(given: GivenSettings): Result<Asked, ConfigFailure> {
  const asked = given.values.PCAP_FILTER
  if (asked === undefined)
    return conflict(
      'CAPTURE',
      'CAPTURE packet, udp needs PCAP_FILTER: it says what is captured beside the UDP socket, such as “tcp port 80”',
      given,
    )
  return ok('ports' in asked ? { ports: asked.ports } : { ports: [], filter: asked.filter })
}

/** Without what sockets of our own get: each packet comes once. */
function exceptFor(others: Readonly<Record<'udp' | 'tcp', readonly CapturePort[]>>, { ports, filter }: Asked): Asked {
  let left = filter
  for (const carrier of ['udp', 'tcp'] as const)
    for (const port of others[carrier]) {
      const range = typeof port === 'number' ? { first: port, last: port } : port
      // A list of ports is of UDP.
      if (left === undefined && carrier === 'udp') left = portsFilter(ports)
      if (left !== undefined && mayPass(left, carrier)) left = without(left, toPorts(carrier, range))
    }
  return left === undefined ? { ports } : { ports: [], filter: left }
}

type Asked = Pick<CaptureConfig, 'ports' | 'filter'>

/** SPA_PORTS or PCAP_FILTER. */
function assemblePassive(given: GivenSettings): Result<Asked, ConfigFailure> {
  const { SPA_PORTS: ports, PCAP_FILTER: asked } = given.values
  if (asked === undefined) return ok({ ports: ports ?? [STANDARD_SPA_PORT] })
  if ('ports' in asked) return agreedPorts(asked.ports, 'PCAP_FILTER', given)
  if (ports === undefined) return ok({ ports: [], filter: asked.filter })
  return conflict(
    'SPA_PORTS',
    `SPA_PORTS and PCAP_FILTER contradict each other: the filter “${formatFilter(asked.filter)}” says more than UDP ports`,
    given,
  )
}

/** SPA_PORTS or UDPSERV_PORT. */
function assembleUdp(given: GivenSettings): Result<Asked, ConfigFailure> {
  const { UDPSERV_PORT: port, SPA_PORTS: ports } = given.values
  const agreed =
    port === undefined ? ok({ ports: ports ?? [STANDARD_SPA_PORT] }) : agreedPorts([port], 'UDPSERV_PORT', given)
  if (!agreed.ok) return agreed
  const unheard = refuseRanges(agreed.value.ports, given.at)
  if (unheard === undefined) return agreed
  const at = given.at.SPA_PORTS
  return { ok: false, failure: { ...unheard.failure, ...(at !== undefined && { at }) } }
}

/** SPA_PORTS may say the same as fwknop's own setting. */
function agreedPorts(
  named: readonly CapturePort[],
  source: 'PCAP_FILTER' | 'UDPSERV_PORT',
  given: GivenSettings,
): Result<Asked, ConfigFailure> {
  const ports = given.values.SPA_PORTS
  if (ports === undefined || sameCapturePorts(ports, named)) return ok({ ports: ports ?? named })
  return conflict(
    'SPA_PORTS',
    `SPA_PORTS names other ports than ${source}, which says ${named.map(formatCapturePort).join(', ')}`,
    given,
  )
}

/** A socket listens on one port. @returns the refusal of the first range, if there is one. */
function refuseRanges(ports: readonly CapturePort[], at: SettingLocations): Refused<ConfigFailure> | undefined {
  const range = ports.find((port) => typeof port !== 'number')
  if (range === undefined) return undefined
  const said = formatCapturePort(range)
  return refuse('CONFIG_CONFLICT', `a UDP socket cannot listen on the range of ports ${said}; CAPTURE packet can`, {
    suggestion:
      at.CAPTURE !== undefined
        ? 'CAPTURE packet;'
        : at.ENABLE_UDP_SERVER !== undefined
          ? 'ENABLE_UDP_SERVER N;'
          : 'leave out -U, or list single ports',
  })
}

function assemblePolicy(
  { values, at, dialect, verbose = 0 }: GivenSettings,
  notices: Notice[],
): ServerConfig['policy'] {
  // As fwknopd: the packets of a capture file are old.
  const ages = values.ENABLE_SPA_PACKET_AGING ?? values.PCAP_FILE === undefined
  if (!ages && values.PCAP_FILE !== undefined && at.ENABLE_SPA_PACKET_AGING === undefined)
    noEffect('MAX_SPA_PACKET_AGE', 'with PCAP_FILE, ENABLE_SPA_PACKET_AGING is N by default', at, notices)
  else if (!ages) {
    noEffect('MAX_SPA_PACKET_AGE', 'ENABLE_SPA_PACKET_AGING is N', at, notices)
    warn('ENABLE_SPA_PACKET_AGING', 'packets of any age are accepted, and each is remembered for ever', at, notices)
  }
  const replays = values.ENABLE_DIGEST_PERSISTENCE ?? true
  if (!replays) {
    noEffect('MAX_PACKETS_PER_KEY', 'ENABLE_DIGEST_PERSISTENCE is N', at, notices)
    warn('ENABLE_DIGEST_PERSISTENCE', 'anybody who sees a packet can send it again', at, notices)
  }
  const http = values.ENABLE_SPA_OVER_HTTP ?? false
  const proxies = values.TRUSTED_PROXIES === 'any' ? undefined : values.TRUSTED_PROXIES
  if (!http) {
    noEffect('ALLOW_ANY_USER_AGENT', 'ENABLE_SPA_OVER_HTTP is N', at, notices)
    noEffect('ENABLE_X_FORWARDED_FOR', 'ENABLE_SPA_OVER_HTTP is N', at, notices)
  } else if (values.ENABLE_X_FORWARDED_FOR && proxies === undefined)
    warn(
      'ENABLE_X_FORWARDED_FOR',
      'the header proves nothing: anybody who forwards a packet can choose it. Name your proxies with TRUSTED_PROXIES',
      at,
      notices,
    )
  if (!http || values.ENABLE_X_FORWARDED_FOR !== true)
    noEffect('TRUSTED_PROXIES', `${http ? 'ENABLE_X_FORWARDED_FOR' : 'ENABLE_SPA_OVER_HTTP'} is N`, at, notices)
  const translates = values.ENABLE_IPT_SNAT ?? false
  if (!translates) noEffect('SNAT_TRANSLATE_IP', 'ENABLE_IPT_SNAT is N', at, notices)
  const snat = values.SNAT_TRANSLATE_IP
  return {
    maxAge: ages ? seconds(values.MAX_SPA_PACKET_AGE ?? DEFAULT_MAX_AGE) : 'unlimited',
    refuseReplays: replays,
    ...(dialect === 'fwknopd' && { namesTrials: true as const }),
    ...(dialect === 'fwknopd' && verbosity({ values, verbose }) > 0 && { showsPackets: true as const }),
    http: http
      ? {
          anyUserAgent: values.ALLOW_ANY_USER_AGENT ?? false,
          trustForwardedFor: values.ENABLE_X_FORWARDED_FOR ?? false,
          ...(values.ENABLE_X_FORWARDED_FOR === true && proxies !== undefined && { proxies }),
        }
      : 'off',
    ...(values.ENABLE_DESTINATION_RULE && { atDestination: true as const }),
    nat: {
      forward: values.ENABLE_IPT_FORWARDING ?? false,
      local: values.ENABLE_IPT_LOCAL_NAT ?? false,
      ...(firewallKind(values, dialect) === 'iptables' && { namesGhosts: true as const }),
      translation: translates ? (snat === undefined ? 'masquerade' : { snat }) : 'none',
      resolveNames: values.ENABLE_NAT_DNS ?? true,
    },
  }
}

/** How far the time of their packets may differ, and whether they get receipts. */
function assembleGateways(
  given: GivenSettings,
  { maxAge, refuseReplays }: Pick<Policy, 'maxAge' | 'refuseReplays'>,
  captures: readonly CaptureConfig[],
  notices: Notice[],
): Result<Pick<Policy, 'gateways'>, ConfigFailure> {
  const { values, at } = given
  const { GATEWAY_ADDRESSES: networks, GATEWAY_MAX_SPA_PACKET_AGE: age, GATEWAY_RECEIPTS: receipts } = values
  if (networks === undefined) {
    for (const name of ['GATEWAY_MAX_SPA_PACKET_AGE', 'GATEWAY_RECEIPTS'] as const)
      noEffect(name, 'there are no GATEWAY_ADDRESSES', at, notices)
    return ok({})
  }
  if (networks === 'any')
    return refuse(
      'CONFIG_INVALID_VALUE',
      '“ANY” cannot be a gateway: name the addresses that your gateway sends from',
      {
        ...(at.GATEWAY_ADDRESSES !== undefined && { at: at.GATEWAY_ADDRESSES }),
      },
    )
  if (age !== undefined && maxAge !== 'unlimited' && age > maxAge)
    return conflict(
      'GATEWAY_MAX_SPA_PACKET_AGE',
      `GATEWAY_MAX_SPA_PACKET_AGE ${age} is more than MAX_SPA_PACKET_AGE, which is ${maxAge}`,
      given,
    )
  // The packets of a capture file are old.
  const isOld = maxAge === 'unlimited' && values.PCAP_FILE !== undefined
  if (isOld) noEffect('GATEWAY_MAX_SPA_PACKET_AGE', 'packets come from PCAP_FILE', at, notices)
  const ownAge = age ?? (maxAge === 'unlimited' ? DEFAULT_GATEWAY_AGE : Math.min(DEFAULT_GATEWAY_AGE, maxAge))
  const answers = receipts === true && captures.some(({ kind }) => kind === 'packet' || kind === 'udp')
  if (receipts === true && !answers)
    noEffect('GATEWAY_RECEIPTS', 'receipts are for packets that come by UDP', at, notices)
  if (answers && !refuseReplays)
    return conflict(
      'GATEWAY_RECEIPTS',
      'GATEWAY_RECEIPTS needs ENABLE_DIGEST_PERSISTENCE Y: else anybody who holds a copy of a packet could make the server answer',
      given,
    )
  return ok({
    gateways: {
      networks,
      maxAge: isOld ? 'unlimited' : seconds(ownAge),
      ...(answers && { receipts: true as const }),
    },
  })
}

/** What no grant may lead elsewhere. A packet that is captured from the interface is seen before any rule. */
export function withKnocks(firewall: FirewallConfig, captures: readonly CaptureConfig[]): FirewallConfig {
  if (firewall.kind === 'relay') return firewall
  const knocks = socketPorts(captures)
  return knocks.length === 0 ? firewall : { ...firewall, knocks }
}

const NFTABLES_SETTINGS = [
  'FIREWALL_MODE',
  'CONNTRACK_MARK',
  'PROTECTED_PORTS',
  'NFT_TABLE',
  'NFT_TABLE_OWNER',
] as const
const CHAIN_SETTINGS = {
  input: 'IPT_INPUT_ACCESS',
  output: 'IPT_OUTPUT_ACCESS',
  forward: 'IPT_FORWARD_ACCESS',
  dnat: 'IPT_DNAT_ACCESS',
  snat: 'IPT_SNAT_ACCESS',
  masquerade: 'IPT_MASQUERADE_ACCESS',
} as const
const IPTABLES_SETTINGS = [
  ...Object.values(CHAIN_SETTINGS),
  'ENABLE_IPT_OUTPUT',
  'ENABLE_RULE_PREPEND',
  'ENABLE_IPT_COMMENT_CHECK',
  'FLUSH_IPT_AT_INIT',
  'FLUSH_IPT_AT_EXIT',
  'FIREWALL_EXE',
] as const

/** VERBOSE and `-v` together. */
function verbosity({ values, verbose = 0 }: Pick<GivenSettings, 'values' | 'verbose'>): number {
  return (values.VERBOSE ?? 0) + verbose
}

function firewallKind(
  { FIREWALL }: GivenSettings['values'],
  dialect: Dialect | undefined,
): NonNullable<GivenSettings['values']['FIREWALL']> {
  return FIREWALL ?? (dialect === 'fwknopd' ? 'iptables' : 'nftables')
}

function assembleFirewall(
  file: string,
  given: GivenSettings,
  notices: Notice[],
): Result<FirewallConfig, ConfigFailure> {
  const { values, at, relays } = given
  const kind = firewallKind(values, given.dialect)
  if (kind !== 'nftables') for (const name of NFTABLES_SETTINGS) noEffect(name, `FIREWALL is ${kind}`, at, notices)
  if (kind !== 'iptables') for (const name of IPTABLES_SETTINGS) noEffect(name, `FIREWALL is ${kind}`, at, notices)
  const [relay] = relays
  if (relay !== undefined && kind !== 'relay')
    return refuse('CONFIG_CONFLICT', 'RELAY needs FIREWALL relay', { at: relay.at, suggestion: 'FIREWALL relay;' })
  if (kind === 'iptables') return assembleIptables(given)
  if (values.ENABLE_DESTINATION_RULE)
    return refuse(
      'CONFIG_CONFLICT',
      `ENABLE_DESTINATION_RULE needs FIREWALL iptables: with ${kind} a grant is for every address of this host`,
      {
        ...(at.ENABLE_DESTINATION_RULE && { at: at.ENABLE_DESTINATION_RULE }),
        suggestion: 'ENABLE_DESTINATION_RULE N; DESTINATION chooses which packets count',
      },
    )
  const maxGrants = values.MAX_GRANTS ?? DEFAULT_MAX_GRANTS
  if (kind === 'relay') {
    const listeners = distinctListeners(relays)
    if (!listeners.ok) return listeners
    const [first, ...more] = listeners.value
    if (first === undefined)
      return refuse('CONFIG_MISSING_KEY', 'FIREWALL relay needs at least one RELAY', {
        at: at.FIREWALL ?? { file, line: 1 },
        suggestion: 'RELAY 80 decoy=127.0.0.1:8080;',
      })
    return ok({ kind: 'relay', listeners: [first, ...more], maxGrants })
  }
  const mark = values.CONNTRACK_MARK ?? DEFAULT_MARK
  const { NFT_TABLE: table = DEFAULT_TABLE, NFT_TABLE_OWNER: owner = DEFAULT_TABLE_OWNER } = values
  const common = { kind: 'nftables', mark, table, owner, maxGrants } as const
  if (values.FIREWALL_MODE !== 'gate') {
    noEffect('PROTECTED_PORTS', 'FIREWALL_MODE is mark: the host’s own chains drop what is not marked', at, notices)
    return ok({ ...common, mode: { kind: 'mark' } })
  }
  if (values.PROTECTED_PORTS === undefined)
    return refuse(
      'CONFIG_MISSING_KEY',
      'FIREWALL_MODE gate needs PROTECTED_PORTS: the ports that are shut without a grant',
      {
        at: at.FIREWALL_MODE ?? { file, line: 1 },
        suggestion: 'PROTECTED_PORTS tcp/22;',
      },
    )
  return ok({ ...common, mode: { kind: 'gate', protectedPorts: values.PROTECTED_PORTS } })
}

function assembleIptables(given: GivenSettings): Result<FirewallConfig, ConfigFailure> {
  const { values, at } = given
  const program = values.FIREWALL_EXE ?? DEFAULT_FIREWALL_PROGRAM
  if (!isIptables(program))
    return refuse(
      'CONFIG_CONFLICT',
      `FIREWALL_EXE: FIREWALL iptables needs iptables, iptables-nft or iptables-legacy, and “${program}” is none of them`,
      { ...(at.FIREWALL_EXE && { at: at.FIREWALL_EXE }), suggestion: 'FIREWALL_EXE /usr/sbin/iptables;' },
    )
  const chains = {
    input: values.IPT_INPUT_ACCESS ?? defaultChains.input,
    output: values.IPT_OUTPUT_ACCESS ?? defaultChains.output,
    forward: values.IPT_FORWARD_ACCESS ?? defaultChains.forward,
    dnat: values.IPT_DNAT_ACCESS ?? defaultChains.dnat,
    snat: values.IPT_SNAT_ACCESS ?? defaultChains.snat,
    masquerade: values.IPT_MASQUERADE_ACCESS ?? defaultChains.masquerade,
  }
  const seen = new Map<string, UsedSetting>()
  for (const [role, { table, chain }] of Object.entries(chains) as [keyof typeof chains, typeof chains.input][]) {
    const other = seen.get(`${table} ${chain}`)
    if (other !== undefined)
      return conflict(
        at[CHAIN_SETTINGS[role]] === undefined ? other : CHAIN_SETTINGS[role],
        `${CHAIN_SETTINGS[role]} and ${other} name the same chain “${chain}”: each needs a chain of its own`,
        given,
      )
    seen.set(`${table} ${chain}`, CHAIN_SETTINGS[role])
  }
  const flush = given.dialect === 'fwknopd'
  return ok({
    kind: 'iptables',
    program,
    chains,
    output: values.ENABLE_IPT_OUTPUT ?? false,
    prepend: values.ENABLE_RULE_PREPEND ?? false,
    check: values.ENABLE_IPT_COMMENT_CHECK ?? true,
    flushAtStart: values.FLUSH_IPT_AT_INIT ?? flush,
    flushAtEnd: values.FLUSH_IPT_AT_EXIT ?? flush,
    maxGrants: values.MAX_GRANTS ?? DEFAULT_MAX_RULES,
  })
}

function distinctListeners(relays: GivenSettings['relays']): Result<readonly RelayListener[], ConfigFailure> {
  const seen = new Map<string, SourceLocation>()
  for (const { listener, at } of relays) {
    const where = `${listener.address ?? '*'} ${listener.port}`
    const before = seen.get(where)
    if (before !== undefined)
      return refuse('CONFIG_CONFLICT', `port ${listener.port} is already relayed in line ${before.line}`, { at })
    seen.set(where, at)
  }
  return ok(relays.map(({ listener }) => listener))
}

function assembleHooks(given: GivenSettings, notices: Notice[]): Result<HookConfig | undefined, ConfigFailure> {
  const { values, at } = given
  const { HOOK_GRANT: grant, HOOK_REFUSAL: refusal, HOOK_EXPIRY: expiry, WEBHOOK_URL: url } = values
  const hasPrograms = grant !== undefined || refusal !== undefined || expiry !== undefined
  if (!hasPrograms)
    for (const name of ['HOOK_USER', 'HOOK_GROUP'] as const) noEffect(name, 'there is no hook', at, notices)
  if (values.HOOK_GROUP !== undefined && values.HOOK_USER === undefined)
    return conflict('HOOK_GROUP', 'HOOK_GROUP needs HOOK_USER', given)
  if (url === undefined)
    for (const name of ['WEBHOOK_KEY_FILE', 'WEBHOOK_CA_FILE'] as const)
      noEffect(name, 'there is no WEBHOOK_URL', at, notices)
  const { WEBHOOK_KEY_FILE: keyFile, WEBHOOK_CA_FILE: authoritiesFile } = values
  if (url !== undefined && keyFile === undefined)
    return refuse('CONFIG_MISSING_KEY', 'WEBHOOK_URL needs WEBHOOK_KEY_FILE: the file of the key that signs', {
      ...(at.WEBHOOK_URL !== undefined && { at: at.WEBHOOK_URL }),
      suggestion: 'WEBHOOK_KEY_FILE /etc/fwknop/webhook.key;',
    })
  const isPlain = url !== undefined && new URL(url).protocol === 'http:'
  if (isPlain && authoritiesFile !== undefined)
    return conflict('WEBHOOK_CA_FILE', 'WEBHOOK_CA_FILE is for https, and WEBHOOK_URL begins with http:', given)
  if (isPlain && !isOwnHost(url)) warn('WEBHOOK_URL', 'http is not encrypted: others can read who gets in', at, notices)
  if (!hasPrograms && url === undefined) return ok(undefined)
  return ok({
    programs: {
      ...(grant !== undefined && { grant }),
      ...(refusal !== undefined && { refusal }),
      ...(expiry !== undefined && { expiry }),
    },
    runAs: {
      user: values.HOOK_USER ?? DEFAULT_HOOK_USER,
      ...(values.HOOK_GROUP !== undefined && { group: values.HOOK_GROUP }),
    },
    ...(url !== undefined &&
      keyFile !== undefined && {
        webhook: { url, keyFile, ...(authoritiesFile !== undefined && { authoritiesFile }) },
      }),
  })
}

function assembleConsole({ values, at }: GivenSettings, notices: Notice[]): Pick<ServerConfig, 'consoleAccess'> {
  const { CONSOLE_USER: user, CONSOLE_SOCKET: socket, CONSOLE_RIGHTS: rights } = values
  if (user === undefined) {
    for (const name of ['CONSOLE_SOCKET', 'CONSOLE_RIGHTS'] as const)
      noEffect(name, 'there is no CONSOLE_USER', at, notices)
    return {}
  }
  return {
    consoleAccess: {
      ...{ user, socket: socket ?? '/run/ghostport/console.sock' },
      rights: [...new Set(rights ?? ALL_RIGHTS)],
    },
  }
}

const CLUSTER_SETTINGS = [
  ...(['CLUSTER_NODE', 'CLUSTER_TIMEOUT', 'CLUSTER_PASSWORD_FILE', 'CLUSTER_CA_FILE'] as const),
  ...(['CLUSTER_SECRET_FILE', 'CLUSTER_CERTIFICATE_FILE', 'CLUSTER_KEY_FILE'] as const),
  ...(['CLUSTER_USERS', 'CLUSTER_USERS_MAY', 'CLUSTER_COPY_AGE'] as const),
] as const
const CLUSTER_TLS_SETTINGS = ['CLUSTER_CA_FILE', 'CLUSTER_CERTIFICATE_FILE', 'CLUSTER_KEY_FILE'] as const

function assembleCluster(
  given: GivenSettings,
  policy: Pick<Policy, 'maxAge' | 'refuseReplays'>,
  notices: Notice[],
): Result<ClusterConfig | undefined, ConfigFailure> {
  const { values, at } = given
  const { CLUSTER: address, CLUSTER_NODE: node, CLUSTER_PASSWORD_FILE: passwordFile } = values
  const { CLUSTER_CERTIFICATE_FILE: certificateFile, CLUSTER_KEY_FILE: keyFile } = values
  if (address === undefined) {
    for (const name of CLUSTER_SETTINGS) noEffect(name, 'there is no CLUSTER', at, notices)
    return ok(undefined)
  }
  const missing = (detail: string, suggestion: string): Refused<ConfigFailure> =>
    refuse('CONFIG_MISSING_KEY', detail, { ...(at.CLUSTER !== undefined && { at: at.CLUSTER }), suggestion })
  if (node === undefined)
    return missing('CLUSTER needs CLUSTER_NODE: the name of this node, which no other node has', 'CLUSTER_NODE web-1;')
  if (!policy.refuseReplays)
    return conflict('CLUSTER', 'a cluster remembers used packets, and ENABLE_DIGEST_PERSISTENCE is N', given)
  if (policy.maxAge === 'unlimited')
    return conflict('CLUSTER', 'a cluster forgets packets that are too old, and ENABLE_SPA_PACKET_AGING is N', given)
  if (!address.secure)
    for (const name of CLUSTER_TLS_SETTINGS)
      if (values[name] !== undefined)
        return conflict(name, `${name} is for TLS: CLUSTER must begin with etcds://`, given)
  if (!address.secure && !staysHere(address))
    warn('CLUSTER', 'etcd:// is not encrypted: who can change it on its way can have packets used again', at, notices)
  if (address.user !== undefined && passwordFile === undefined)
    return missing(
      'CLUSTER names a user, and needs CLUSTER_PASSWORD_FILE',
      'CLUSTER_PASSWORD_FILE /etc/fwknop/cluster.password;',
    )
  if (address.user === undefined) noEffect('CLUSTER_PASSWORD_FILE', 'CLUSTER names no user', at, notices)
  if ((certificateFile === undefined) !== (keyFile === undefined))
    return missing(
      'CLUSTER_CERTIFICATE_FILE and CLUSTER_KEY_FILE go together',
      'CLUSTER_KEY_FILE /etc/fwknop/cluster.key;',
    )
  if (values.CLUSTER_USERS === true && values.CLUSTER_SECRET_FILE === undefined)
    return missing(
      'CLUSTER_USERS needs CLUSTER_SECRET_FILE, under which users are sealed',
      'CLUSTER_SECRET_FILE /etc/fwknop/cluster.secret;',
    )
  return ok({
    ...address,
    node: node satisfies NodeName,
    timeout: values.CLUSTER_TIMEOUT === undefined ? DEFAULT_CLUSTER_TIMEOUT : milliseconds(values.CLUSTER_TIMEOUT),
    ...(address.user !== undefined && passwordFile !== undefined && { passwordFile }),
    ...(values.CLUSTER_SECRET_FILE !== undefined && { secretFile: values.CLUSTER_SECRET_FILE }),
    ...(values.CLUSTER_CA_FILE !== undefined && { authoritiesFile: values.CLUSTER_CA_FILE }),
    ...(certificateFile !== undefined && keyFile !== undefined && { own: { certificateFile, keyFile } }),
    ...assembleClusterUsers(given, notices),
  })
}

function assembleClusterUsers({ values, at }: GivenSettings, notices: Notice[]): Pick<ClusterConfig, 'users'> {
  if (values.CLUSTER_USERS !== true) {
    for (const name of ['CLUSTER_USERS_MAY', 'CLUSTER_COPY_AGE'] as const)
      noEffect(name, 'CLUSTER_USERS is not Y', at, notices)
    return {}
  }
  return {
    users: {
      may: [...new Set(values.CLUSTER_USERS_MAY ?? [])],
      copyAge: values.CLUSTER_COPY_AGE === undefined ? DEFAULT_COPY_AGE : seconds(values.CLUSTER_COPY_AGE),
    },
  }
}

function conflict(name: UsedSetting, detail: string, { at }: GivenSettings): Refused<ConfigFailure> {
  return refuse('CONFIG_CONFLICT', detail, at[name] === undefined ? {} : { at: at[name] })
}

function warn(name: UsedSetting, text: string, at: GivenSettings['at'], notices: Notice[]): void {
  notices.push({ level: 'warning', text: `${name}: ${text}`, ...(at[name] === undefined ? {} : { at: at[name] }) })
}

function noEffect(name: UsedSetting, why: string, at: GivenSettings['at'], notices: Notice[]): void {
  if (at[name] !== undefined) notices.push({ level: 'info', text: `${name} has no effect: ${why}`, at: at[name] })
}
