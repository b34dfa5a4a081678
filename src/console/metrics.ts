/**
 * The numbers of a server for Prometheus, in its text format (version 0.0.4). Pure, over what `ghostport status --json`
 * says. No label has an address, a user or a port: their number would have no bound, and who scrapes need not know
 * them. Times are times, and not ages: Prometheus calculates the age.
 */
import type { Status } from '../daemon/warden/status.ts'

type Labels = Readonly<Record<string, string>>

interface Metric {
  readonly name: string
  readonly type: 'counter' | 'gauge'
  readonly help: string
  /** Empty: there is no value now, which is not 0. */
  readonly samples: readonly { readonly labels?: Labels; readonly value: number }[]
}

/** What of the status is measured. */
export type Measured = Pick<
  Status,
  | ('startedAt' | 'capturing' | 'stanzas' | 'remembered' | 'grants' | 'warnings' | 'counters' | 'lastGranted')
  | ('cluster' | 'fromCluster' | 'clusterUsers')
>

/** @param version of ghostport. */
export function metricsText(status: Measured, version: string): string {
  return metricsOf(status, version)
    .flatMap(({ name, type, help, samples }) => [
      `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
      `# TYPE ${name} ${type}`,
      ...samples.map(({ labels, value }) => `${name}${labelText(labels)} ${value}`),
    ])
    .map((line) => `${line}\n`)
    .join('')
}

function metricsOf(status: Measured, version: string): readonly Metric[] {
  const {
    cluster,
    fromCluster: gate,
    clusterUsers: users,
    counters,
    grants,
    lastGranted,
    remembered,
    warnings,
  } = status
  const { granted, refused, looked, dropped, elsewhere = 0, undecided } = counters
  return [
    gauge('ghostport_build_info', 'Version of the server; always 1.', [{ labels: { version }, value: 1 }]),
    gauge('ghostport_start_timestamp_seconds', 'When the server started, in Unix time.', [
      { value: secondsOf(status.startedAt) },
    ]),
    gauge('ghostport_receiving', 'Whether packets are being received.', [{ value: status.capturing ? 1 : 0 }]),
    counter('ghostport_knocks_total', 'Packets that were judged, by verdict: “granted”, or the code of the refusal.', [
      { labels: { verdict: 'granted' }, value: granted },
      ...Object.entries(refused).map(([code, value]) => ({ labels: { verdict: code }, value: value ?? 0 })),
    ]),
    counter('ghostport_packets_examined_total', 'Packets that could be knocks by port, length and first character.', [
      { value: looked },
    ]),
    counter('ghostport_packets_dropped_total', 'Packets that could be knocks and were not examined: a flood.', [
      { value: dropped },
    ]),
    counter('ghostport_packets_elsewhere_total', 'Packets that came in by an interface without capture.', [
      { value: elsewhere },
    ]),
    gauge('ghostport_knocks_undecided', 'Packets that wait for their verdict, or whose verdict was lost.', [
      { value: undecided },
    ]),
    gauge('ghostport_grants_active', 'Grants that are open now. Absent if the firewall cannot be asked.', [
      ...(grants === null ? [] : [{ value: grants.length }]),
    ]),
    gauge('ghostport_last_accept_timestamp_seconds', 'When a knock was last granted. Absent: not since the start.', [
      ...(lastGranted === undefined ? [] : [{ value: secondsOf(lastGranted) }]),
    ]),
    gauge('ghostport_stanzas', 'Stanzas of access.conf that are in force.', [{ value: status.stanzas }]),
    gauge('ghostport_replay_packets', 'Used packets that are remembered.', [
      ...(remembered === null ? [] : [{ value: remembered }]),
    ]),
    gauge('ghostport_host_warnings', 'What is wrong with the firewall of the host, by code.', [
      ...countOf(warnings.flatMap(({ code, level }) => (level === 'warning' ? [code] : []))),
    ]),
    gauge('ghostport_cluster_usable', 'Whether the cluster answers. Absent: there is none.', [
      ...(cluster === undefined ? [] : [{ value: cluster.usable ? 1 : 0 }]),
    ]),
    counter('ghostport_cluster_claims_total', 'What the cluster said of packets. Absent: there is none.', [
      ...(cluster === undefined
        ? []
        : [
            { labels: { answer: 'first' }, value: cluster.first },
            { labels: { answer: 'used' }, value: cluster.usedElsewhere },
            { labels: { answer: 'unknown' }, value: cluster.unknown },
          ]),
    ]),
    counter(
      'ghostport_cluster_grants_total',
      'Grants of other nodes, by verdict: “granted”, or the code of the refusal. Absent: there is no cluster.',
      gate === undefined
        ? []
        : [
            { labels: { verdict: 'granted' }, value: gate.granted },
            ...Object.entries(gate.refused).map(([code, value]) => ({ labels: { verdict: code }, value: value ?? 0 })),
          ],
    ),
    counter('ghostport_cluster_grants_ended_total', 'Grants that ended here because they ended at another node.', [
      ...(gate === undefined ? [] : [{ value: gate.ended }]),
    ]),
    gauge('ghostport_cluster_gate_usable', 'Whether grants of other nodes can open anything here.', [
      ...(gate === undefined ? [] : [{ value: gate.problem === undefined ? 1 : 0 }]),
    ]),
    gauge(
      'ghostport_cluster_users_version',
      'The version of the cluster’s users that this node has. Absent: there are none.',
      [...(users === undefined ? [] : [{ value: users.version }])],
    ),
    gauge('ghostport_cluster_users_age_seconds', 'How long ago this node last had the newest of them.', [
      ...(users === undefined || users.age === null ? [] : [{ value: users.age }]),
    ]),
    gauge('ghostport_cluster_users_outdated', 'Whether they are too old, and grant nothing.', [
      ...(users === undefined ? [] : [{ value: users.outdated ? 1 : 0 }]),
    ]),
  ]
}

function gauge(name: string, help: string, samples: Metric['samples']): Metric {
  return { name, type: 'gauge', help, samples }
}

function counter(name: string, help: string, samples: Metric['samples']): Metric {
  return { name, type: 'counter', help, samples }
}

function countOf(codes: readonly string[]): Metric['samples'] {
  const counts = new Map<string, number>()
  for (const code of codes) counts.set(code, (counts.get(code) ?? 0) + 1)
  return [...counts].map(([code, value]) => ({ labels: { code }, value }))
}

function secondsOf(time: string): number {
  return Date.parse(time) / 1000
}

function labelText(labels: Labels = {}): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
