/** `ghostport status`: what a running server has open, whom it refused last, and how many. */
import { describeStanza } from '../access/stanza-name.ts'
import { ownerOfOldKeys } from '../config/access/old-keys.ts'
import { askControl } from '../daemon/warden/control.ts'
import type { GrantStatus, Status } from '../daemon/warden/status.ts'
import type { UsesAnswer } from '../daemon/warden/warden.ts'
import { refuse } from '../result.ts'
import { ownVersion } from '../system/own-version.ts'
import { defineCommand, type Outcome } from './command.ts'
import { type Line, line, type Style } from './terminal/line.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'
import { askUses } from './user/tell-server.ts'

const options = {
  socket: { short: 's', value: 'PATH', help: 'the control socket (CONTROL_SOCKET; /run/ghostport/control.sock)' },
  metrics: { help: 'print the numbers in the text format of Prometheus, as for node_exporter’s textfile collector' },
  json: { help: 'print one JSON object, also for a failure' },
} as const

const DEFAULT_SOCKET = '/run/ghostport/control.sock'
/** How many verdicts people are shown; --json has them all. */
const VERDICTS_SHOWN = 10

export const command = defineCommand({
  options,
  operands: {},
  about: ['Shows live grants with the seconds they have left, the last verdicts, and counters. Changes nothing.'],
  run,
})

async function run({ options: given }: ParsedCommandLine<typeof options>, terminal: Terminal): Promise<Outcome> {
  if (given.metrics > 0 && given.json > 0) return refuse('CLI_USAGE', '--metrics and --json are two forms: choose one')
  const answer = await askControl(given.socket ?? DEFAULT_SOCKET, 'status')
  if (!answer.ok) return answer
  if (given.json > 0) terminal.printJson(answer.value)
  else if (given.metrics > 0) {
    const { metricsText } = await import('../console/metrics.ts')
    terminal.print(
      metricsText(answer.value as Status, ownVersion())
        .trimEnd()
        .split('\n'),
    )
  }
  // Our own daemon, behind a socket that only root can have made: its answer has the shape of Status.
  else {
    terminal.print(describe(answer.value as Status, terminal.style))
    terminal.print(describeOldKeys(await askUses(given.socket ?? DEFAULT_SOCKET), terminal.style))
  }
  return 0
}

function describe(status: Status, style: Style): readonly Line[] {
  const { counters, grants } = status
  const refused = Object.entries(counters.refused).map(([code, count]) => `${count} ${code}`)
  return [
    line`${describeReception(status, style)} since ${status.startedAt}, firewall ${status.firewall}${status.guard === 'owned' ? ' (no other program can change its table)' : ''}, ${count(status.stanzas, 'stanza')}`,
    `${count(counters.looked, 'packet')} looked at, ${counters.granted} granted, ${refused.join(', ') || '0 refused'}, ${counters.undecided} undecided, ${counters.dropped} lost before they were read`,
    ...(counters.ways === undefined
      ? []
      : [
          `of these by ${Object.entries(counters.ways)
            .map(([way, number]) => `${way} ${number}`)
            .join(', ')}`,
        ]),
    ...describePorts(status),
    ...(counters.elsewhere === undefined
      ? []
      : [
          `${count(counters.elsewhere, 'packet')} came in by interfaces that PCAP_INTF does not name, and were passed over`,
        ]),
    ...describeRelay(status),
    ...describeCluster(status, style),
    ...describeFromCluster(status, style),
    ...describeClusterUsers(status, style),
    ...describeCommands(status, style),
    ...describeInterfaces(status, style),
    ...describeWarnings(status, style),
    '',
    style.bold(grants === null ? `live grants: unknown (${status.error ?? ''})` : countGrants(grants)),
    ...(grants ?? []).map((grant) => `  ${describeGrant(grant)}`),
    ...describeGates(status, style),
    '',
    style.bold('last verdicts, newest first:'),
    ...status.lastVerdicts
      .slice(0, VERDICTS_SHOWN)
      .map(({ time, verdict, source, for: whom, by, stanza, name, grant, command, cycle, shutBy, code, detail }) => {
        const what =
          verdict !== 'granted'
            ? `${String(code)}: ${String(detail)}`
            : shutBy === undefined
              ? style.good(`granted ${String(grant ?? cycle ?? `command ${String(command)}`)}`)
              : style.bad(`granted ${String(grant)}, and still shut: ${String(shutBy)}`)
        const whose = stanza === undefined ? '' : `  ${describeStanza(Number(stanza), name?.toString())}`
        const from = by === undefined ? String(source) : `${String(whom)} by node ${String(by)}`
        return line`  ${String(time)}  ${from}${whose}  ${what}`
      }),
  ]
}

function describeReception({ capturing, gate }: Status, style: Style): Line {
  if (gate) return style.good('a gate, which captures nothing,')
  return capturing ? style.good('receiving') : style.bad('not receiving')
}

/** A grant keeps the number of its stanza, which may be another stanza's by now: a reader has to know that. */
function countGrants(grants: readonly GrantStatus[]): string {
  const byNumber = grants.some(({ name }) => name === undefined)
  return `live grants: ${grants.length}${byNumber ? ' (a stanza without NAME has the number of the time of its grant)' : ''}`
}

function describeGrant({ id, for: source, open, secondsLeft, stanza, name, user }: GrantStatus): string {
  return `${id}  ${source}  ${open.join(',')}  ${secondsLeft} s left  ${describeStanza(stanza, name)}  user ${user}`
}

/** How many grants at other nodes people are shown; --json has more. */
const GATES_SHOWN = 20

/** What knocks here have opened at other nodes. */
function describeGates({ gates = [] }: Partial<Pick<Status, 'gates'>>, style: Style): readonly Line[] {
  if (gates.length === 0) return []
  return [
    '',
    style.bold(`at other nodes (GATES): ${gates.length}`),
    ...gates.slice(-GATES_SHOWN).map(({ id, for: source, open, secondsLeft, name, ...made }) => {
      const parts = [
        ...made.opened.map(({ node }) => style.good(`open at ${node}`)),
        ...made.closed.map((node) => `closed at ${node}`),
        ...made.refused.map(({ node, code }) => style.bad(`refused at ${node} (${code})`)),
        ...made.waiting.map(({ node, away }) => style.bad(`no answer from ${node}${away ? ', which is away' : ''}`)),
        ...(made.problem === undefined ? [] : [style.bad(`not written: ${made.problem}`)]),
      ]
      const head = `  ${id}  ${source}  ${open.join(',')}  ${secondsLeft} s left  stanza ${name}: `
      return parts.reduce<Line>((all, part, i) => line`${all}${i === 0 ? '' : ', '}${part}`, head)
    }),
  ]
}

/** How many devices with old keys people are shown. */
const OLD_KEYS_SHOWN = 10

/** Devices that do not have their new keys yet. */
function describeOldKeys(told: UsesAnswer | undefined, style: Style): readonly Line[] {
  const old = Object.entries(told?.uses ?? {}).filter(([name]) => ownerOfOldKeys(name) !== undefined)
  if (old.length === 0) return []
  const shown = old.slice(-OLD_KEYS_SHOWN).toReversed()
  return [
    '',
    style.bold(`old keys still in use: ${old.length} (“ghostport user list” has all)`),
    ...shown.map(([name, { time, source, code }]) => {
      const end = code === undefined ? '' : ` (${code})`
      return line`  ${time}  ${source}  ${describeStanza(0, name)}${end}`
    }),
  ]
}

/** How many stanzas with ports of their own people are shown. */
const STANZA_PORTS_SHOWN = 10

/** Only where stanzas differ. */
function describePorts({ stanzaPorts }: Status): readonly string[] {
  if (stanzaPorts === undefined) return []
  const { stanzas, shown } = stanzaPorts
  const each = shown
    .slice(0, STANZA_PORTS_SHOWN)
    .map(({ stanza, name, ports }) => `${describeStanza(stanza, name)} at ${ports.join(',')}`)
  const more = stanzas > each.length ? `, and ${stanzas - each.length} more` : ''
  return [`${count(stanzas, 'stanza')} with SPA_PORT: ${each.join(', ')}${more}`]
}

function describeRelay({ relay }: Status): readonly Line[] {
  if (relay === undefined) return []
  const { granted, strangers, limits, refused } = relay
  return [
    `relay: ${count(granted, 'connection')} with a grant, ${strangers} without, of ${limits.connections} (${limits.strangers} without); no place for ${refused.granted} and ${refused.strangers}`,
  ]
}

/** What nodes tell each other, sealed. */
function describeRecords(records: NonNullable<Status['cluster']>['records'], style: Style): readonly Line[] {
  if (records === undefined) return []
  const { following, since, why = '', unreadable, short = [] } = records
  const state = following ? style.good(`followed since ${since}`) : style.bad(`not followed since ${since}: ${why}`)
  const strange = unreadable === 0 ? '' : style.bad(`, ${unreadable} could not be opened`)
  const some = short.length === 0 ? '' : style.bad(`, too many to list: ${short.join(', ')}`)
  return [line`  records: ${count(records.records, 'record')}, ${state}${strange}${some}`]
}

/** @param cluster a server from before an update sends none. */
function describeCluster({ cluster }: Partial<Pick<Status, 'cluster'>>, style: Style): readonly Line[] {
  if (cluster === undefined) return []
  const { usable, since, why, members, first, usedElsewhere, unknown } = cluster
  const state = usable ? style.good(`usable since ${since}`) : style.bad(`not usable since ${since}: ${why ?? ''}`)
  return [
    line`cluster ${cluster.cluster}, node ${cluster.node}: ${state}`,
    `  etcd at ${members.join(', ')}; ${count(first, 'packet')} first here, ${usedElsewhere} used at another node, ${unknown} without an answer`,
    ...describeRecords(cluster.records, style),
  ]
}

/** What this server makes of the grants of other nodes. */
function describeFromCluster({ fromCluster }: Partial<Pick<Status, 'fromCluster'>>, style: Style): readonly Line[] {
  if (fromCluster === undefined) return []
  const { granted, refused, ended, problem, cure } = fromCluster
  if (problem !== undefined)
    return [
      line`  ${style.bad(`opens nothing for other nodes, and they open nothing for it: ${problem}`)}`,
      ...(cure === undefined ? [] : [`    do: ${cure}`]),
    ]
  const reasons = Object.entries(refused).map(([code, number]) => `${number} ${code}`)
  if (granted + ended + reasons.length === 0) return []
  return [`  grants of other nodes: ${granted} opened here, ${reasons.join(', ') || '0'} refused, ${ended} ended early`]
}

/** @param clusterUsers a server from before an update sends none. */
function describeClusterUsers({ clusterUsers }: Partial<Pick<Status, 'clusterUsers'>>, style: Style): readonly Line[] {
  if (clusterUsers === undefined) return []
  const { version, stanzas, leftOut, inSync, age, outdated, by, at, why } = clusterUsers
  const from = by === undefined ? '' : `, by ${by} at ${at}`
  const old = age === null ? 'of an unknown age' : `${age} s old`
  const state = inSync
    ? style.good('as etcd has them')
    : outdated
      ? style.bad(`a copy that is ${old}: it is too old, and its stanzas grant nothing (CLUSTER_COPY_AGE)`)
      : style.bad(`a copy that is ${old}`)
  return [
    line`  users of the cluster: version ${version}${from}, ${count(stanzas, 'stanza')}: ${state}`,
    ...(why === undefined ? [] : [line`    ${style.bad(why)}`]),
    ...(leftOut === 0
      ? []
      : [line`    ${style.bad(`${count(leftOut, 'stanza')} left out at this node: “ghostport check” says why`)}`]),
  ]
}

/** How many ended commands people are shown; --json has more. */
const COMMANDS_SHOWN = 5

function describeCommands({ commands }: Status, style: Style): readonly Line[] {
  if (commands === undefined) return []
  const { running, ended, failed, cycles, last } = commands
  return [
    `commands: ${running} running, ${ended} ended, ${failed} failed`,
    ...cycles.map(
      (each) =>
        `  ${each.for}  ${each.open}  ${each.secondsLeft} s left  stanza ${each.stanza}  user ${each.user}  (closed by a command)`,
    ),
    ...last.slice(0, COMMANDS_SHOWN).map(({ time, command, cycle, open, end, status: exit, why }) => {
      const how =
        end === 'exit' ? `exit ${String(exit)}` : `${String(end)}${why === undefined ? '' : `: ${String(why)}`}`
      return line`  ${String(time)}  ${exit === 0 || end === 'refreshed' ? style.good(how) : style.bad(how)}  ${command === undefined ? `${String(open)} ${String(cycle)}` : String(command)}`
    }),
  ]
}

/** @param interfaces a server from before an update sends none. */
function describeInterfaces({ interfaces = [] }: Partial<Pick<Status, 'interfaces'>>, style: Style): readonly Line[] {
  if (interfaces.length === 0) return []
  return [
    '',
    style.bold('the interfaces:'),
    ...interfaces.flatMap(({ level, code, text, cure, seconds }) => [
      line`  ${level === 'warning' ? style.bad('warning') : 'note'}: ${text} [${code}], for ${seconds} s`,
      ...(cure === undefined ? [] : [line`    do: ${cure}`]),
    ]),
  ]
}

/** @param warnings a server from before an update sends none. */
function describeWarnings({ warnings = [] }: Partial<Pick<Status, 'warnings'>>, style: Style): readonly Line[] {
  if (warnings.length === 0) return []
  return [
    '',
    style.bold('the host’s own firewall:'),
    ...warnings.flatMap(({ level, code, text, cure }) => [
      line`  ${level === 'warning' ? style.bad('warning') : 'note'}: ${text} [${code}]`,
      ...(cure === undefined ? [] : [`    do: ${cure}`]),
    ]),
  ]
}

function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`
}
