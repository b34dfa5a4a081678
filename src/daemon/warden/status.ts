/** What `ghostport status` gets: the live grants as the system has them, the latest verdicts, and the counters. */

import { describeOpening, type LiveGrant } from '../../access/grant.ts'
import type { Stanza } from '../../access/stanza.ts'
import { describeFirewall } from '../../config/server/firewall-settings.ts'
import type { ServerConfig } from '../../config/server/server-config.ts'
import { formatCapturePort } from '../../config/server/spa-ports.ts'
import type { CarriedLoad, FirewallFailure, Guard } from '../../firewall/firewall.ts'
import type { Finding } from '../../firewall/host/findings.ts'
import type { LogField } from '../../log.ts'
import type { Result } from '../../result.ts'
import type { ClusterStatus } from './cluster-process/cluster.ts'
import type { ClusterUsersStatus } from './cluster-users/cluster-users.ts'
import type { CommandStatus } from './executor-process/commands.ts'
import type { FanOutStatus } from './gates/origin.ts'
import type { ConditionStatus } from './interface-watch/interface-watch.ts'
import type { GateCounters, JournalCounters } from './journal.ts'
import { grantTag } from './revoke-target.ts'

/** As JSON. Stable: fields are added, never changed (docs/OPERATING.md § Status). */
export interface Status {
  readonly version: 1
  /** RFC 3339, UTC. */
  readonly startedAt: string
  readonly warden: number
  /** Process id; null if there is none. */
  readonly receiver: number | null
  /** Whether packets are being received. */
  readonly capturing: boolean
  /** It captures nothing (CAPTURE none), and opens what other nodes grant. Absent: it takes packets. */
  readonly gate?: true
  readonly firewall: string
  /** Whether other programs can change what is installed: `owned` or `watched`. Absent if they cannot reach it. */
  readonly guard?: Guard
  readonly stanzas: number
  /** Absent: no stanza has SPA ports of its own. */
  readonly stanzaPorts?: {
    /** How many stanzas have some. */
    readonly stanzas: number
    /** The first of them. */
    readonly shown: readonly { readonly stanza: number; readonly name?: string; readonly ports: readonly string[] }[]
  }
  /** Number of used packets that are remembered; null if they are not. */
  readonly remembered: number | null
  /** Null if the firewall could not be asked; `error` then has the reason. */
  readonly grants: readonly GrantStatus[] | null
  readonly error?: string
  /** Only with FIREWALL relay. */
  readonly relay?: CarriedLoad
  /** Only where commands are configured. */
  readonly commands?: CommandStatus
  /** Only with CLUSTER. */
  readonly cluster?: ClusterStatus
  /** What knocks here have opened at other nodes (GATES), as far as these have said. Absent: there is nothing. */
  readonly gates?: readonly FanOutStatus[]
  /** What this server makes of the grants of other nodes. Only with CLUSTER_SECRET_FILE. */
  readonly fromCluster?: FromClusterStatus
  /** Only with CLUSTER_USERS. */
  readonly clusterUsers?: ClusterUsersStatus
  /** What the host's own rules do to grants, and which ports they leave open without one. */
  readonly warnings: readonly Finding[]
  /** What is wrong with the interfaces of PCAP_INTF. */
  readonly interfaces: readonly ConditionStatus[]
  readonly counters: JournalCounters
  /** RFC 3339, UTC: when a knock was last granted. Absent: not since the start. */
  readonly lastGranted?: string
  /** Newest first; the fields of the log. */
  readonly lastVerdicts: readonly { readonly [name: string]: LogField }[]
}

export interface FromClusterStatus extends GateCounters {
  /** Why nothing opens for other nodes, and they open nothing for this one. Absent: nothing is wrong. */
  readonly problem?: string
  /** What to do about it. */
  readonly cure?: string
}

export interface GrantStatus {
  /** What `ghostport revoke` takes. The same for the same openings for the same source. */
  readonly id: string
  readonly for: string
  readonly open: readonly string[]
  readonly secondsLeft: number
  /** The number of the stanza when it granted: stanzas may have other numbers now. */
  readonly stanza: number
  /** Its NAME when it granted. Absent if it had none. */
  readonly name?: string
  /** The user name in the packet. */
  readonly user: string
}

export interface StatusSources {
  readonly startedAt: Date
  readonly receiver: number | undefined
  readonly capturing: boolean
  readonly server: ServerConfig
  readonly stanzas: readonly Stanza[]
  readonly remembered: number | undefined
  readonly grants: Result<readonly LiveGrant[], FirewallFailure>
  readonly guard?: Guard | undefined
  readonly relay?: CarriedLoad | undefined
  readonly commands?: CommandStatus | undefined
  readonly cluster?: ClusterStatus | undefined
  readonly gates?: readonly FanOutStatus[] | undefined
  readonly fromCluster?: FromClusterStatus | undefined
  readonly clusterUsers?: ClusterUsersStatus | undefined
  readonly warnings: readonly Finding[]
  readonly interfaces: Status['interfaces']
  readonly counters: JournalCounters
  readonly lastGranted?: string | undefined
  readonly lastVerdicts: Status['lastVerdicts']
}

export function describeStatus(from: StatusSources): Status {
  const { firewall } = from.server
  return {
    version: 1,
    startedAt: from.startedAt.toISOString(),
    warden: process.pid,
    receiver: from.receiver ?? null,
    capturing: from.capturing && from.server.captures.length > 0,
    ...(from.server.captures.length === 0 && { gate: true as const }),
    firewall: describeFirewall(firewall),
    ...(from.guard !== undefined && { guard: from.guard }),
    stanzas: from.stanzas.length,
    ...describeStanzaPorts(from.stanzas),
    remembered: from.remembered ?? null,
    grants: from.grants.ok ? from.grants.value.map(describeGrant) : null,
    ...(from.grants.ok ? {} : { error: from.grants.failure.detail }),
    ...(from.relay !== undefined && { relay: from.relay }),
    ...(from.commands !== undefined && { commands: from.commands }),
    ...(from.cluster !== undefined && { cluster: from.cluster }),
    ...(from.gates !== undefined && from.gates.length > 0 && { gates: from.gates.slice(-GATES_SHOWN) }),
    ...(from.fromCluster !== undefined && { fromCluster: from.fromCluster }),
    ...(from.clusterUsers !== undefined && { clusterUsers: from.clusterUsers }),
    warnings: from.warnings,
    interfaces: from.interfaces,
    counters: from.counters,
    ...(from.lastGranted !== undefined && { lastGranted: from.lastGranted }),
    lastVerdicts: from.lastVerdicts,
  }
}

/** The latest ones. */
const GATES_SHOWN = 1000
/** A server may have thousands, and its status is one answer. */
const STANZA_PORTS_SHOWN = 100

function describeStanzaPorts(stanzas: readonly Stanza[]): Pick<Status, 'stanzaPorts'> {
  const own = stanzas.filter(({ spaPorts }) => spaPorts !== undefined)
  if (own.length === 0) return {}
  const shown = own.slice(0, STANZA_PORTS_SHOWN).map(({ id, name, spaPorts = [] }) => ({
    stanza: id,
    ...(name !== undefined && { name }),
    ports: spaPorts.map(formatCapturePort),
  }))
  return { stanzaPorts: { stanzas: own.length, shown } }
}

export function describeGrant({ grant, remaining }: LiveGrant): GrantStatus {
  return {
    id: grantTag(grant.id),
    for: grant.source,
    open: grant.openings.map(describeOpening),
    secondsLeft: Math.ceil(remaining / 1000),
    stanza: grant.stanza,
    ...(grant.stanzaName !== undefined && { name: grant.stanzaName }),
    user: grant.username,
  }
}
