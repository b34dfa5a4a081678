/**
 * Makes what a cluster needs in etcd: a role that may touch its keys and no others, and a user with that role. As an
 * administrator of etcd. What is there stays, so it may be done twice.
 */
import { milliseconds } from '../units.ts'
import { type EtcdAccess, type EtcdAnswer, etcdCalls } from './call.ts'
import { type Etcd, openEtcd } from './etcd.ts'
import type { Fields } from './message-type.ts'
import type { EtcdMethod } from './messages.ts'
import { judgeRanges, parseRanges } from './permissions.ts'
import { picked } from './picked.ts'
import { prefixFields } from './prefix.ts'
import { shown } from './report-fields.ts'
import type { PreparedStep } from './survey-report.ts'

const LIMIT = milliseconds(5000)

export interface Preparation {
  /** With the login of an administrator. */
  readonly access: EtcdAccess
  readonly cluster: string
  readonly user: string
  readonly password: string
  /** Only looks. */
  readonly isRehearsal: boolean
}

export interface Prepared {
  readonly steps: readonly PreparedStep[]
  /** Why it did not go on. */
  readonly why?: string
}

export function roleOf(cluster: string): string {
  return `ghostport-${cluster}`
}

export async function prepareCluster(preparation: Preparation): Promise<Prepared> {
  const { access, cluster, user, password, isRehearsal } = preparation
  const calls = etcdCalls(access)
  const etcd = openEtcd(access, calls)
  const role = roleOf(cluster)
  const prefix = `ghostport/${cluster}/`
  const steps: PreparedStep[] = []
  const make = async (what: string, method: EtcdMethod, body: Fields): Promise<string | undefined> => {
    if (isRehearsal) {
      steps.push({ what, state: 'missing' })
      return undefined
    }
    const answer = await etcd.ask(method, body, LIMIT)
    // The try before was slow, and did it.
    const isDone = answer.kind === 'answer' || (answer.kind === 'refused' && /already exists/.test(answer.why))
    if (!isDone) return shown(`${what}: ${answer.why}`)
    steps.push({ what, state: 'made' })
    return undefined
  }
  const there = (what: string): undefined => {
    steps.push({ what, state: 'there' })
  }
  const stopped = (why: string): Prepared => ({ steps, why })
  try {
    const found = await existing(etcd, 'Auth/RoleGet', { role })
    if ('why' in found) return stopped(found.why)
    const madeRole =
      found.value === undefined
        ? await make(`the role ${role}`, 'Auth/RoleAdd', { name: role })
        : there(`the role ${role}`)
    if (madeRole !== undefined) return stopped(madeRole)
    const ranges = found.value === undefined ? [] : (parseRanges(found.value) ?? [])
    const may = `its permission to read and write ${prefix}*`
    const perm = { permType: 'READWRITE', ...prefixFields(prefix) }
    const granted = judgeRanges(ranges, prefix).covers
      ? there(may)
      : await make(may, 'Auth/RoleGrantPermission', { name: role, perm })
    if (granted !== undefined) return stopped(granted)
    const account = await existing(etcd, 'Auth/UserGet', { name: user })
    if ('why' in account) return stopped(account.why)
    if (account.value === undefined) {
      const made = await make(`the user ${user}`, 'Auth/UserAdd', { name: user, password })
      if (made !== undefined) return stopped(made)
    } else {
      const knows = await etcd.ask('Auth/Authenticate', { name: user, password }, LIMIT)
      if (knows.kind !== 'answer')
        return stopped(shown(`the user ${user} is there, and has another password (${knows.why})`))
      there(`the user ${user}`)
    }
    const roles = picked(account.value, ['roles']).roles
    const hasRole = Array.isArray(roles) && roles.includes(role)
    const joined = hasRole
      ? there(`the role ${role} of the user ${user}`)
      : await make(`the role ${role} of the user ${user}`, 'Auth/UserGrantRole', { user, role })
    return joined === undefined ? { steps } : stopped(joined)
  } finally {
    calls.close()
  }
}

/** @returns no value for what is not there. */
async function existing(
  etcd: Etcd,
  method: EtcdMethod,
  body: Fields,
): Promise<{ readonly value: unknown } | { readonly why: string }> {
  const answer: EtcdAnswer = await etcd.ask(method, body, LIMIT)
  if (answer.kind === 'answer') return { value: answer.value }
  if (answer.kind === 'refused' && /not found/.test(answer.why)) return { value: undefined }
  return { why: shown(answer.why) }
}
