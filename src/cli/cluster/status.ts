/** `ghostport cluster status`: members, nodes, and what the server of this host says. */
import { showUntil } from '../../access/age.ts'
import type { SurveyedMember } from '../../etcd/survey-report.ts'
import type { Outcome } from '../command.ts'
import { type Line, line, type Style } from '../terminal/line.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { inColumns } from '../user/list-users.ts'
import type { ClusterFacts } from './cluster-check.ts'
import { clusterFacts } from './facts.ts'
import { type InCluster, readInCluster } from './host-settings.ts'
import { ago } from './judge-survey.ts'
import type { Given } from './options.ts'

export async function showCluster(given: Given, terminal: Terminal): Promise<Outcome> {
  const here = readInCluster(given)
  if (!here.ok) return here
  const facts = await clusterFacts(here.value, 0)
  if (!facts.ok) return facts
  const { survey, server } = facts.value
  const { cluster, node } = here.value.cluster
  if (given.json > 0) terminal.printJson({ cluster, node, etcd: survey, server: server ?? null })
  else terminal.print(describe(here.value, facts.value, terminal.style))
  return survey.members.every(({ why }) => why !== undefined) || 'why' in survey.login ? 1 : 0
}

function describe({ cluster }: InCluster, { survey, server }: ClusterFacts, style: Style): readonly Line[] {
  const { members, nodes, alarms, login, used, closedUntil, revision } = survey
  return [
    line`${style.bold('cluster')} ${cluster.cluster}, node ${cluster.node}`,
    describeServer(server, style),
    '',
    style.bold('members of etcd'),
    ...inColumns(members.map(describeMember)).map((text) => text.trimEnd()),
    ...(alarms !== undefined && 'list' in alarms
      ? alarms.list.map(({ id, kind }) => line`  ${style.bad(`alarm ${kind}`)} of member ${id}`)
      : []),
    ...('why' in login ? [line`  ${style.bad('no login')}: ${login.why}`] : []),
    ...(used === undefined ? [] : [`  ${used} used packets, revision ${revision ?? '?'}`]),
    ...(closedUntil !== undefined && closedUntil * 1000 > Date.now()
      ? [line`  ${style.bad('closed')} until ${showUntil(closedUntil)}: a backup was restored`]
      : []),
    '',
    style.bold('nodes'),
    ...(nodes === undefined || 'why' in nodes
      ? [`  not known: ${nodes?.why ?? 'etcd does not say it'}`]
      : nodes.list.length === 0
        ? ['  none has written to etcd yet']
        : inColumns(
            nodes.list.map(({ node, version, at, twin }) => [
              `  ${node}`,
              `ghostport ${version}`,
              `wrote ${ago(nodes.now - at)}`,
              twin === 'yes' ? 'two servers have this name' : '',
            ]),
          ).map((text) => text.trimEnd())),
  ]
}

function describeServer(server: ClusterFacts['server'], style: Style): Line {
  if (server === undefined) return line`${style.bad('the running server is in no cluster')}: restart it`
  if ('because' in server) return line`${style.bad('no server runs here')}: ${server.because}`
  const { usable, since, why, answeredInMs, first, usedElsewhere, unknown } = server
  const counts = `${first} packets first here, ${usedElsewhere} used elsewhere, ${unknown} unknown`
  if (!usable) return line`${style.bad('not usable')} since ${since}: ${why ?? ''}; ${counts}`
  return line`${style.good('usable')} since ${since}, answered in ${answeredInMs ?? '?'} ms; ${counts}`
}

function describeMember(member: SurveyedMember): readonly string[] {
  const { at, why, version, databaseBytes: bytes, quotaBytes: quota, tookMs } = member
  if (why !== undefined) return [`  ${at}`, `does not answer: ${why}`, '', '', '']
  const size = bytes === undefined ? '' : `${kibi(bytes)}${quota === undefined ? '' : ` of ${kibi(quota)}`}`
  return [`  ${at}`, placeOf(member), `etcd ${version ?? '?'}`, size, `${tookMs ?? '?'} ms`]
}

/** Empty where it is not told. */
function placeOf({ id, leader, leads }: SurveyedMember): 'leader' | 'follower' | '' {
  if (id === undefined && leads === undefined) return ''
  return leads === 'yes' || (id !== undefined && id === leader) ? 'leader' : 'follower'
}

function kibi(bytes: number): string {
  return bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KiB` : `${Math.round(bytes / 1024 / 1024)} MiB`
}
