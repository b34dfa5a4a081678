/** What `fwknopd.conf` says, parsed: nobody past `config/` sees a `Y` or a file's text (docs/FROM-FWKNOP.md). */
import type { CommandSettings } from '../../access/command.ts'
import type { Policy } from '../../access/policy.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import type { PortRange, Seconds } from '../../units.ts'
import type { GnupgDefaults } from '../access/gnupg-keys.ts'
import type { ClusterConfig } from './cluster-settings.ts'
import type { FirewallConfig } from './firewall-settings.ts'
import type { HookConfig } from './hook-settings.ts'
import type { PacketFilter } from './pcap-filter.ts'
import type { CapturePort } from './spa-ports.ts'

export interface ServerConfig {
  /** The ways in which packets come: at least one. */
  readonly captures: readonly CaptureConfig[]
  /** Absent: ENABLE_INTF_CHECKS N, or packets come from a file. */
  readonly interfaceChecks?: InterfaceChecks
  /** PACKET_LIMIT: the server ends after so many packets. */
  readonly packetLimit?: number
  /** The server-wide half of policy; `buildPolicy` adds the stanzas. */
  readonly policy: Omit<Policy, 'stanzas' | 'sharedPorts'>
  readonly firewall: FirewallConfig
  readonly replay: {
    /** REPLAY_DB: path of the database. */
    readonly database: string
    /** MAX_PACKETS_PER_KEY: how many used packets of one key are remembered at a time. */
    readonly packetsPerKey: number
    /** fwknop's own record of used packets, imported once: DIGEST_FILE, or `digest.cache` where fwknopd keeps it. */
    readonly fwknopDigests: {
      readonly path: string
      /** Whether DIGEST_FILE names it: it is then missed where it is not there. */
      readonly named: boolean
    }
  }
  /** ACCESS_FILE, or `access.conf` beside the server's own file. `-a` overrides it. */
  readonly accessFile: string
  /** ACCESS_FOLDER: the stanzas are in the `*.conf` files of this folder, and not in the access file. */
  readonly accessFolder?: string
  /** AUDIT_LOG, or `audit.log` beside the replay store: who changed what. */
  readonly auditLog: string
  /** CONSOLE_USER. Absent: no console may ask anything. */
  readonly consoleAccess?: {
    readonly user: string
    /** CONSOLE_SOCKET */
    readonly socket: string
    /** CONSOLE_RIGHTS: what it may do besides looking. */
    readonly rights: readonly ('revoke' | 'extend' | 'reload' | 'users')[]
  }
  /** CLUSTER. Absent: this server shares nothing with others. */
  readonly cluster?: ClusterConfig
  /** CONTROL_SOCKET: path of the Unix socket that `ghostport status` asks. */
  readonly controlSocket: string
  /** FWKNOP_PID_FILE. Absent unless the file names it. */
  readonly pidFile?: string
  /** GPG_HOME_DIR and GPG_EXE, for stanzas that do not have their own. */
  readonly gnupg: GnupgDefaults
  /** RECEIVER_USER: whom the process that parses strangers' bytes runs as. Absent: a user of its own. */
  readonly receiverUser?: string
  /** SUDO_EXE and CMD_EXEC_TIMEOUT. */
  readonly commands: CommandSettings
  /** Absent: nothing is told to anybody. */
  readonly hooks?: HookConfig
  /** LOG_LIMIT: log lines a second for refusals, in each of the two processes; more are counted. */
  readonly refusalsPerSecond: number
  /** How the program `fwknopd` logs. Of no meaning to `ghostport`, which logs JSON. */
  readonly lines: {
    /** VERBOSE: 1 and more tells what fwknopd tells with `-v`. */
    readonly verbosity: number
    /** SYSLOG_IDENTITY: the name in each line of syslog. */
    readonly identity: string
    /** SYSLOG_FACILITY */
    readonly facility: SyslogFacility
  }
}

export const syslogFacilities = [
  'LOG_DAEMON',
  'LOG_LOCAL0',
  'LOG_LOCAL1',
  'LOG_LOCAL2',
  'LOG_LOCAL3',
  'LOG_LOCAL4',
  'LOG_LOCAL5',
  'LOG_LOCAL6',
  'LOG_LOCAL7',
] as const
export type SyslogFacility = (typeof syslogFacilities)[number]
/** The file of the last knock of each user, beside the replay store. */
export function lastKnocksPath({ replay }: Pick<ServerConfig, 'replay'>): string {
  return `${replay.database}-last-knocks`
}

/** The file of what was last known of the cluster’s etcd, beside the replay store. */
export function clusterPastPath({ replay }: Pick<ServerConfig, 'replay'>): string {
  return `${replay.database}-cluster`
}

/** The file of the grants of the cluster that this node has taken, beside the replay store. */
export function takenPath({ replay }: Pick<ServerConfig, 'replay'>): string {
  return `${replay.database}-gates`
}

/** The stanzas of the cluster as this node last had them, beside the replay store. */
export function clusterCopyPath({ replay }: Pick<ServerConfig, 'replay'>): string {
  return `${replay.database}-cluster-users.conf`
}

/** What is known of that copy: its version, and when it was last the newest. */
export function clusterCopyStatePath({ replay }: Pick<ServerConfig, 'replay'>): string {
  return `${replay.database}-cluster-users`
}

/** The folder of the invitations of users, beside the replay store. */
export function invitationsFolder({ replay }: Pick<ServerConfig, 'replay'>): string {
  return `${replay.database}-invitations`
}

/** The file of the closes that are owed. It is beside the replay store, which outlives a boot, too. */
export function ledgerPath({ replay }: Pick<ServerConfig, 'replay'>): string {
  return `${replay.database}-owed-closes`
}

/** The file of revocations that are not confirmed yet. */
export function revocationsPath({ replay }: Pick<ServerConfig, 'replay'>): string {
  return `${replay.database}-revocations`
}

/** What is checked of interfaces and addresses while the server runs. */
export interface InterfaceChecks {
  /** INTF_CHECKS_INTERVAL */
  readonly interval: Seconds
  /** ENABLE_INTF_EXISTS_CHECK */
  readonly exists: boolean
  /** ENABLE_INTF_RUNNING_CHECK */
  readonly running: boolean
  /** ENABLE_INTF_BYTES_CHECK */
  readonly bytes: boolean
  /** ENABLE_INTF_ADDRESS_CHECK */
  readonly addresses: boolean
  /** ENABLE_INTF_RECEIVED_CHECK */
  readonly received: boolean
}

export interface CaptureConfig {
  /**
   * CAPTURE, or ENABLE_UDP_SERVER and ENABLE_TCP_SERVER: passively from the interface, by a bound UDP socket, by
   * connections. Or PCAP_FILE.
   */
  readonly kind: 'packet' | 'udp' | 'tcp-server' | 'pcap-file'
  /** PCAP_FILE: of `pcap-file` only. */
  readonly path?: string
  /** Whether the server ends with the file. fwknopd goes on: its rules may be open still. */
  readonly endsServer?: boolean
  /** `fwknopd -v -v`: what cannot be an SPA packet is shown too, and so it does not stay in the kernel. */
  readonly showsAll?: true
  /** PCAP_INTF: by name, since an index dies with its interface. Of no meaning to `udp`. */
  readonly interfaces: 'any' | readonly string[]
  /**
   * SPA_PORTS, or UDPSERV_PORT, or those of PCAP_FILTER; or TCPSERV_PORT: each once. To `udp`, no ranges. None if there
   * is a filter.
   */
  readonly ports: readonly CapturePort[]
  /** SPA_PORT of stanzas: captured beside {@link ports}, as few ranges as possible. Absent: no stanza has one. */
  readonly stanzaPorts?: readonly PortRange[]
  /** PCAP_FILTER, if it says more than UDP ports. */
  readonly filter?: PacketFilter
  /** ENABLE_PCAP_PROMISC: of `packet` only. Absent: no. */
  readonly promiscuous?: true
  /** ENABLE_PCAP_ANY_DIRECTION: of `packet` only. Absent: no. */
  readonly outgoing?: true
  /** MAX_SNIFF_BYTES: payloads longer than this are not looked at. */
  readonly maxBytes: number
}

/** All ports where this way of capture takes packets. */
export function capturedPorts({
  ports,
  stanzaPorts,
}: Pick<CaptureConfig, 'ports' | 'stanzaPorts'>): readonly CapturePort[] {
  return stanzaPorts === undefined ? ports : [...ports, ...stanzaPorts.map(asCapturePort)]
}

function asCapturePort(range: PortRange): CapturePort {
  return range.first === range.last ? range.first : range
}

/** Ports where a socket of ours waits for knocks, as far as the configuration has such sockets. */
export function socketPorts(captures: readonly CaptureConfig[]): readonly ProtocolPort[] {
  return captures.flatMap((capture) => {
    const { kind } = capture
    if (kind !== 'udp' && kind !== 'tcp-server') return []
    const protocol = kind === 'udp' ? 'udp' : 'tcp'
    // A socket does not listen on ranges.
    return capturedPorts(capture).flatMap((port) => (typeof port === 'number' ? [{ protocol, port } as const] : []))
  })
}
