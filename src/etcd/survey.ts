/** A look at a whole cluster of etcd, and at what is in it of one cluster of ours. Changes nothing. */
import { decodeText } from '../bytes/text.ts'
import { formatHostPort } from '../packet/address.ts'
import { decodeBase64Padded } from '../system/base64.ts'
import { milliseconds } from '../units.ts'
import { type EtcdAccess, type EtcdAnswer, etcdCalls } from './call.ts'
import { closedKey, encoded, parseClosedUntil } from './claim-txn.ts'
import { type Etcd, openEtcd } from './etcd.ts'
import { GRPC_STATUS } from './grpc-status.ts'
import { readPast } from './header.ts'
import { certificateEnd, getPlain } from './look-at-member.ts'
import { memberState } from './member-state.ts'
import { judgeRanges, parseRanges } from './permissions.ts'
import { picked } from './picked.ts'
import { prefixFields } from './prefix.ts'
import { parsePresence, presencePrefix } from './presence.ts'
import { shown, text } from './report-fields.ts'
import type { EtcdMember } from './sessions.ts'
import type { Failed, Survey, SurveyedMember } from './survey-report.ts'

const LIMIT = milliseconds(3000)
const MOST_NODES = 500
/** There are two or three: those before them are removed. */
const MOST_ROSTERS = 100

/** @param cluster the name of ours: the last part of CLUSTER. */
export async function surveyCluster(access: EtcdAccess, cluster: string): Promise<Survey> {
  const calls = etcdCalls(access)
  const etcd = openEtcd(access, calls)
  const { login: _, ...withoutLogin } = access
  const stranger = openEtcd(withoutLogin, calls)
  try {
    const members = await Promise.all(access.members.map((member) => lookAtMember(member, access)))
    if (members.every(({ why }) => why !== undefined))
      return { members, auth: 'unknown', login: { why: members[0]?.why ?? 'no member answers' } }
    const own = await etcd.ask('KV/Range', { key: encoded(closedKey(cluster)) }, LIMIT)
    const asStranger = await stranger.ask('KV/Range', { key: encoded(closedKey(cluster)) }, LIMIT)
    const auth = asStranger.kind === 'answer' ? 'off' : asStranger.kind === 'refused' ? 'on' : 'unknown'
    const peers = await lookAtPeers(etcd)
    const alarms = await lookAtAlarms(etcd)
    const talkative = auth === 'on' ? { talkative: await tellsStrangers(access) } : {}
    const known = { members, auth, peers, alarms, ...talkative } as const
    if (access.login === undefined && auth !== 'off') return { ...known, login: { none: 'yes' } }
    if (own.kind !== 'answer') return { ...known, login: { why: shown(own.why) } }
    return {
      ...known,
      login: access.login === undefined ? { none: 'yes' } : { good: 'yes' },
      ...(access.login !== undefined && auth === 'on' && (await lookAtRights(etcd, access.login.user, cluster))),
      ...(await lookAtKeys(etcd, cluster, own.value)),
    }
  } finally {
    calls.close()
  }
}

async function lookAtMember(member: EtcdMember, access: EtcdAccess): Promise<SurveyedMember> {
  const { host, port } = member
  const at = shown(formatHostPort(host, port))
  const calls = etcdCalls(access)
  try {
    const until = access.tls === undefined ? undefined : await certificateEnd(member, access.tls, LIMIT)
    const certificate = until === undefined ? {} : { certificateUntil: until }
    const began = performance.now()
    const version = await getPlain(member, '/version', access.tls, LIMIT)
    if ('why' in version) return { at, ...certificate, why: shown(version.why) }
    const here = Math.floor(Date.now() / 1000)
    const tookMs = Math.round(performance.now() - began)
    const status = await openEtcd({ ...access, members: [member] }, calls).ask('Maintenance/Status', {}, LIMIT)
    const metrics = await getPlain(member, '/metrics', access.tls, LIMIT)
    return {
      ...{ at, tookMs, ...certificate },
      ...(version.date !== undefined && { clockAhead: version.date - here }),
      ...text('version', versionIn(version.text)),
      ...memberState(status.kind === 'answer' ? status.value : undefined, 'text' in metrics ? metrics.text : undefined),
    }
  } finally {
    calls.close()
  }
}

function versionIn(answer: string): unknown {
  try {
    return picked(JSON.parse(answer), ['etcdserver']).etcdserver
  } catch {
    return undefined
  }
}

async function lookAtPeers(etcd: Etcd): Promise<NonNullable<Survey['peers']>> {
  const answer = await etcd.ask('Cluster/MemberList', {}, LIMIT)
  if (answer.kind !== 'answer') return failed(answer)
  const list = listIn(answer.value, 'members', 64).map((one) => {
    const { ID, name, isLearner } = picked(one, ['ID', 'name', 'isLearner'])
    return {
      id: shown(ID ?? ''),
      name: shown(name ?? ''),
      learner: isLearner === true ? ('yes' as const) : ('no' as const),
    }
  })
  return { list }
}

async function lookAtAlarms(etcd: Etcd): Promise<NonNullable<Survey['alarms']>> {
  const answer = await etcd.ask('Maintenance/Alarm', { action: 'GET' }, LIMIT)
  if (answer.kind !== 'answer') return failed(answer)
  const list = listIn(answer.value, 'alarms', 128).map((one) => {
    const { memberID, alarm = 'NONE' } = picked(one, ['memberID', 'alarm'])
    return { id: shown(memberID ?? ''), kind: shown(alarm) }
  })
  return { list }
}

/**
 * Whether a member tells the others to somebody without a login and without a certificate. One that asks for a
 * certificate does not answer.
 */
async function tellsStrangers({ members, tls }: EtcdAccess): Promise<'yes' | 'no'> {
  const { own: _, ...withoutOwn } = tls ?? {}
  const calls = etcdCalls(tls === undefined ? {} : { tls: withoutOwn })
  try {
    const ask = (member: EtcdMember) => calls.call(member, 'Cluster/MemberList', {}, { limit: LIMIT })
    const answers = await Promise.all(members.map(ask))
    return answers.some(({ kind }) => kind === 'answer') ? 'yes' : 'no'
  } finally {
    calls.close()
  }
}

/** No key of ours, and of nobody: a question for it changes nothing. */
const OUTSIDE = 'ghostport-is-not-here'

async function lookAtRights(etcd: Etcd, user: string, cluster: string): Promise<Pick<Survey, 'permissions' | 'bound'>> {
  const permissions = await lookAtPermissions(etcd, user, cluster)
  // Who may touch more has no bounds that could be tried.
  if ('why' in permissions || permissions.beyond.length > 0) return { permissions }
  const question = { success: [{ request_range: { key: encoded(OUTSIDE) } }] }
  const answer = await etcd.ask('KV/Txn', { success: [{ request_txn: question }] }, LIMIT)
  if (answer.kind === 'answer') return { permissions, bound: 'no' }
  return {
    permissions,
    ...(answer.kind === 'refused' && answer.code === GRPC_STATUS.permissionDenied && { bound: 'yes' }),
  }
}

async function lookAtPermissions(
  etcd: Etcd,
  user: string,
  cluster: string,
): Promise<NonNullable<Survey['permissions']>> {
  const asked = await etcd.ask('Auth/UserGet', { name: user }, LIMIT)
  if (asked.kind !== 'answer') return failed(asked)
  const roles = listIn(asked.value, 'roles', 64).filter((role) => typeof role === 'string')
  let covers = false
  const beyond: string[] = []
  for (const role of roles) {
    if (role === 'root') {
      covers = true
      beyond.push('everything: it has the role root')
      continue
    }
    const answer = await etcd.ask('Auth/RoleGet', { role }, LIMIT)
    if (answer.kind !== 'answer') return failed(answer)
    const ranges = parseRanges(answer.value)
    if (ranges === undefined) return { why: `what etcd says of the role ${shown(role)} has no sense` }
    const judged = judgeRanges(ranges, `ghostport/${cluster}/`)
    covers ||= judged.covers
    beyond.push(...judged.beyond)
  }
  return { roles: roles.map(shown), covers: covers ? 'yes' : 'no', beyond: beyond.slice(0, 100).map(shown) }
}

async function lookAtKeys(
  etcd: Etcd,
  cluster: string,
  own: unknown,
): Promise<Pick<Survey, 'revision' | 'oldestRevision' | 'used' | 'closedUntil' | 'nodes' | 'usersVersion'>> {
  const past = readPast(own)
  const revision = past === undefined ? undefined : Number(past.revision)
  const oldestRevision = revision === undefined ? undefined : await oldestKept(etcd, cluster, revision)
  const used = await etcd.ask('KV/Range', { ...prefixFields(`ghostport/${cluster}/used/`), count_only: true }, LIMIT)
  const closed = valuesIn(own)[0]?.value
  const nodes = await etcd.ask('KV/Range', { ...prefixFields(presencePrefix(cluster)), limit: MOST_NODES }, LIMIT)
  const rosters = await etcd.ask(
    'KV/Range',
    { ...prefixFields(rosterPrefix(cluster)), keys_only: true, limit: MOST_ROSTERS },
    LIMIT,
  )
  return {
    ...(rosters.kind === 'answer' && { usersVersion: newestRoster(rosters.value, rosterPrefix(cluster)) }),
    ...(revision !== undefined && { revision }),
    ...(oldestRevision !== undefined && { oldestRevision }),
    ...(used.kind === 'answer' && { used: Number(picked(used.value, ['count']).count ?? 0) || 0 }),
    ...(closed !== undefined && { closedUntil: parseClosedUntil(closed) }),
    nodes:
      nodes.kind === 'answer'
        ? { list: presences(nodes.value, cluster), now: Math.floor(Date.now() / 1000) }
        : failed(nodes),
  }
}

/** The names of these records are not sealed (docs/WIRE.md § 21): each ends in its version. */
function rosterPrefix(cluster: string): string {
  return `ghostport/${cluster}/records/users/roster/`
}

/** @returns 0 where there is none. */
function newestRoster(value: unknown, prefix: string): number {
  const versions = valuesIn(value).flatMap(({ key }) => {
    const version = key.startsWith(prefix) ? key.slice(prefix.length) : ''
    return /^[1-9][0-9]{0,14}$/.test(version) ? [Number(version)] : []
  })
  return Math.max(0, ...versions)
}

function presences(value: unknown, cluster: string) {
  const prefix = presencePrefix(cluster)
  return valuesIn(value).flatMap(({ key, value: text }) => {
    const read = key.startsWith(prefix) ? parsePresence(key.slice(prefix.length), text) : undefined
    return read === undefined ? [] : [{ ...read, twin: read.twin ? ('yes' as const) : ('no' as const) }]
  })
}

/** By halving: each question takes etcd a few milliseconds. @returns undefined where it cannot be found out. */
async function oldestKept(etcd: Etcd, cluster: string, revision: number): Promise<number | undefined> {
  let gone = 0
  let kept = revision
  while (kept - gone > 1) {
    const middle = Math.floor((gone + kept) / 2)
    const asked = { key: encoded(closedKey(cluster)), revision: `${middle}`, keys_only: true, limit: '1' }
    const answer = await etcd.ask('KV/Range', asked, LIMIT)
    if (answer.kind === 'answer') kept = middle
    // etcd has thrown away that revision.
    else if (answer.kind === 'refused' && answer.code === GRPC_STATUS.outOfRange) gone = middle
    else return undefined
  }
  return kept
}

function valuesIn(value: unknown): readonly { readonly key: string; readonly value: string }[] {
  return listIn(value, 'kvs', MOST_NODES).flatMap((one) => {
    const { key, value: text = '' } = picked(one, ['key', 'value'])
    const [name, content] = [key, text].map((part) => {
      const bytes = typeof part === 'string' ? decodeBase64Padded(part) : undefined
      return bytes === undefined ? undefined : decodeText(bytes)
    })
    return name === undefined || content === undefined ? [] : [{ key: name, value: content }]
  })
}

function listIn(value: unknown, name: string, most: number): readonly unknown[] {
  const list = picked(value, [name])[name]
  return Array.isArray(list) ? list.slice(0, most) : []
}

function failed(answer: Exclude<EtcdAnswer, { kind: 'answer' }>): Failed {
  return { why: shown(answer.why) }
}
