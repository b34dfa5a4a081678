/** What a survey must say before a host becomes a node. Pure. */
import type { Survey } from '../../etcd/survey-report.ts'
import { ok, type Result, refuse } from '../../result.ts'

/** How long after its last line a node may be there still: three of its lines. */
export const SEEN_LATELY = 60

/** @returns ETCD_UNUSABLE with the words of the first member that does not answer. */
export function allAnswer({ members }: Survey): Result<void> {
  const silent = members.find(({ why }) => why !== undefined)
  return silent === undefined ? ok(undefined) : refuse('ETCD_UNUSABLE', `${silent.at}: ${silent.why}`)
}

/**
 * Whether this host may be the node of this name: its login does what it must, and no other host has the name.
 * @param before the node that this host is already, if it is one.
 */
export function mayBeNode(survey: Survey, name: string, before: string | undefined): Result<void> {
  const works = mayWork(survey)
  if (!works.ok) return works
  return before === name ? ok(undefined) : nameIsFree(survey, name)
}

/** Whether the login of the nodes does what it must. A member may be down, as etcd goes on without it. */
function mayWork(survey: Survey): Result<void> {
  const { members, login, permissions } = survey
  if (members.every(({ why }) => why !== undefined)) return allAnswer(survey)
  if ('why' in login) return refuse('ETCD_UNUSABLE', `the login: ${login.why}`)
  if ('none' in login && survey.auth !== 'off') return refuse('ETCD_UNUSABLE', 'etcd wants a login, and there is none')
  if (permissions !== undefined && 'covers' in permissions && permissions.covers === 'no')
    return refuse('ETCD_UNUSABLE', 'its user may not read and write the keys of this cluster')
  return ok(undefined)
}

/** @returns NODE_EXISTS if a node of this name has written something within the last minute. */
function nameIsFree({ nodes }: Survey, name: string): Result<void> {
  if (nodes === undefined || 'why' in nodes)
    return refuse('ETCD_UNUSABLE', `the nodes cannot be listed: ${nodes?.why ?? 'no answer'}`)
  const there = nodes.list.find(({ node }) => node === name)
  if (there === undefined || nodes.now - there.at > SEEN_LATELY) return ok(undefined)
  return refuse('NODE_EXISTS', `a node ${name} runs already: it wrote to etcd ${ago(nodes.now - there.at)}`, {
    suggestion: '--node with another name',
  })
}

/** The nodes that have written something within the last minute. */
export function nodesNow({ nodes }: Survey): readonly string[] {
  if (nodes === undefined || 'why' in nodes) return []
  return nodes.list.filter(({ at }) => nodes.now - at <= SEEN_LATELY).map(({ node }) => node)
}

export function ago(seconds: number): string {
  return seconds < 0 ? `${-seconds} s in the future` : `${seconds} s ago`
}
