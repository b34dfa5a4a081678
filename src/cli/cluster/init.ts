/** `ghostport cluster init NAME`: the first node of a cluster, and what the cluster needs in etcd. */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { type ClusterAddress, clusterAddress, clusterName } from '../../config/server/cluster-settings.ts'
import { judgePasswordLength } from '../../daemon/warden/cluster-process/secrets.ts'
import type { Survey } from '../../etcd/survey-report.ts'
import { withSettings } from '../../host/set-up/edit-settings.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { systemPath } from '../../system/system-path.ts'
import { readCertificates } from '../../system/trusted-file.ts'
import type { Outcome } from '../command.ts'
import { fromHere } from '../server/config-source.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { prepare, survey } from './errand.ts'
import {
  besideSettings,
  changeHost,
  type HostSettings,
  judgeChange,
  PASSWORD_NAME,
  readHostSettings,
  SECRET_NAME,
  secretLine,
} from './host-settings.ts'
import { allAnswer, mayBeNode, nodesNow } from './judge-survey.ts'
import type { Given } from './options.ts'
import {
  addressText,
  asNode,
  asStranger,
  judgeHost,
  type NodeFiles,
  nodeFiles,
  ownCertificate,
  ownNode,
  RESTART,
  tellFiles,
  tellUsers,
  type WantedNode,
} from './own-node.ts'

interface Plan extends WantedNode {
  readonly host: HostSettings
  readonly address: ClusterAddress
  readonly admin: string
  /** No earlier try has made the secret of this cluster. */
  readonly isNew: boolean
}

export async function initCluster(name: string, given: Given, terminal: Terminal): Promise<Outcome> {
  const plan = planOf(name, given)
  if (!plan.ok) return plan
  const { host, address, password } = plan.value
  const wanted = nodeFiles(host.file, plan.value)
  const { settings, files } = wanted
  const edit = (text: string): string => withSettings(text, settings)
  const judged = judgeChange(host, { edit })
  if (!judged.ok) return judged
  const seen = await lookFirst(plan.value, given)
  if (!seen.ok) return seen
  const isDry = given['dry-run'] > 0
  const admin = password === undefined ? ok(undefined) : await adminPassword(plan.value.admin, given, terminal)
  if (!admin.ok) return admin
  let steps: readonly { readonly what: string; readonly state: string }[] = []
  /** Whether etcd may have the password. Before its first step, it was not told. */
  let isKnown = false
  const prepared = async (rehearsal: 'yes' | 'no'): Promise<Result<void>> => {
    const { user } = address
    if (password === undefined || admin.value === undefined || user === undefined) return ok(undefined)
    const login = { user: plan.value.admin, password: admin.value }
    const done = await prepare({ ...asStranger(address, plan.value), login, user, password, rehearsal })
    isKnown = !done.ok || done.value.steps.length > 0
    if (!done.ok) return done
    ;({ steps } = done.value)
    const made = steps.filter(({ state }) => state === 'made').map(({ what }) => what)
    const already = made.length === 0 ? '' : `. Already made in etcd: ${made.join(', ')}`
    if (done.value.why === undefined) return ok(undefined)
    const isForeign = /has another password/.test(done.value.why)
    const suggestion = 'ghostport cluster invite on a node that runs; or etcdctl user delete, if there is none'
    return refuse('ETCD_UNUSABLE', `${done.value.why}${already}`, isForeign ? { suggestion } : {})
  }
  if (isDry) {
    const rehearsed = await prepared('yes')
    if (!rehearsed.ok) return rehearsed
    tell(given, terminal, { steps, wanted, isDry, shares: sharesUsers(plan.value) })
    return 0
  }
  const between = async (): Promise<Result<void>> => {
    const made = await prepared('no')
    return made.ok ? await worksNow(plan.value) : made
  }
  const change = { did: 'cluster init', to: name, edit, files } as const
  const changed = await changeHost(host, { ...change, between, isKnown: () => isKnown })
  if (!changed.ok) return changed
  tell(given, terminal, { steps, wanted, isDry, shares: sharesUsers(plan.value) })
  return 0
}

function sharesUsers({ users = false, host }: Plan): boolean {
  return users || host.config.cluster?.users !== undefined
}

/** What is asked for, without a look at the network. */
function planOf(name: string, given: Given): Result<Plan> {
  if (given.etcd === undefined)
    return refuse('CLI_USAGE', 'missing option --etcd: the members of etcd', {
      suggestion: `ghostport cluster init ${name} --etcd 10.0.0.1,10.0.0.2,10.0.0.3`,
    })
  const named = clusterName(name)
  if (!named.ok) return refuse('VALUE_INVALID', `NAME: ${named.failure.detail}`)
  const user = given['no-login'] > 0 ? undefined : (given.user ?? `ghostport-${name}`)
  if (given['no-login'] > 0)
    for (const option of ['user', 'admin', 'admin-password-file'] as const)
      if (given[option] !== undefined) return refuse('CLI_USAGE', `--${option} has no effect with --no-login`)
  const scheme = given.plain > 0 ? 'etcd' : 'etcds'
  const address = clusterAddress(`${scheme}://${user === undefined ? '' : `${user}@`}${given.etcd}/${name}`)
  if (!address.ok) return refuse('VALUE_INVALID', address.failure.detail)
  if (given.plain > 0)
    for (const option of ['ca-file', 'certificate-file', 'key-file'] as const)
      if (given[option] !== undefined) return refuse('CLI_USAGE', `--${option} has no effect with --plain`)
  const admin = given.admin ?? 'root'
  if (!/^[\x21-\x7e]{1,255}$/.test(admin)) return refuse('VALUE_INVALID', `--admin: “${admin}” is not a user of etcd`)
  const host = readHostSettings(given)
  if (!host.ok) return host
  const node = ownNode(given, host.value)
  if (!node.ok) return node
  const own = ownCertificate(given)
  if (!own.ok) return own
  const authorities = given['ca-file'] === undefined ? ok(undefined) : authoritiesIn(given['ca-file'])
  if (!authorities.ok) return authorities
  const text = addressText(address.value)
  const judged = judgeHost(host.value, text)
  if (!judged.ok) return judged
  const there = host.value.config.cluster
  const secretFile = there?.secretFile ?? besideSettings(host.value.file, SECRET_NAME)
  const secret = ownSecret(secretFile, 'base64')
  if (!secret.ok) return secret
  const passwordFile = there?.passwordFile ?? besideSettings(host.value.file, PASSWORD_NAME)
  const password = user === undefined ? ok(undefined) : ownSecret(passwordFile, 'base64url')
  if (!password.ok) return password
  return ok({
    ...{ host: host.value, address: address.value, text, node: node.value, admin },
    ...{ own: own.value, authorities: authorities.value, password: password.value },
    ...{ users: given.users > 0, secret: secret.value, isNew: !existsSync(systemPath(secretFile)) },
  })
}

function authoritiesIn(text: string): Result<string> {
  const path = fromHere(text)
  return path.ok ? readCertificates(path.value) : path
}

/** That of an earlier try, which may be known to etcd already; else a new one of 32 bytes. */
function ownSecret(path: string, form: 'base64' | 'base64url'): Result<string> {
  return existsSync(systemPath(path)) ? secretLine(path) : ok(randomBytes(32).toString(form))
}

/** Whether etcd can be reached, and whether it asks who somebody is. Nothing was changed yet. */
async function lookFirst(plan: Plan, given: Given): Promise<Result<void>> {
  const seen = await survey(asStranger(plan.address, plan))
  if (!seen.ok) return seen
  const answered = allAnswer(seen.value)
  if (!answered.ok) return answered
  if (given['no-login'] > 0)
    return seen.value.auth === 'off'
      ? judgeFirst(seen.value, plan)
      : refuse('SETUP_REFUSED', 'etcd asks for a login', { suggestion: 'without --no-login' })
  if (seen.value.auth === 'on') return ok(undefined)
  return refuse(
    'SETUP_REFUSED',
    'etcd asks nobody who he is (auth is off): whoever reaches it can make used packets new again. Switch it on, as ' +
      'docs/CLUSTER.md says: etcdctl user add root, then etcdctl auth enable',
    { suggestion: '--no-login, if nobody else reaches it' },
  )
}

async function adminPassword(admin: string, given: Given, terminal: Terminal): Promise<Result<string>> {
  const file = given['admin-password-file']
  if (file === undefined) {
    const typed = await terminal.askSecret(`password of ${admin} in etcd`)
    return typed.ok ? judgePassword(`the password of ${admin}`, Buffer.from(typed.value).toString('utf8')) : typed
  }
  const path = fromHere(file)
  if (!path.ok) return path
  const line = secretLine(path.value)
  return line.ok ? judgePassword(path.value, line.value) : line
}

function judgePassword(what: string, password: string): Result<string> {
  const judged = judgePasswordLength(what, password.length)
  return judged.ok ? ok(password) : judged
}

/** As the nodes will ask. */
async function worksNow(plan: Plan): Promise<Result<void>> {
  const seen = await survey(asNode(plan.address, plan))
  if (!seen.ok) return seen
  const first = judgeFirst(seen.value, plan)
  // Done twice, this host itself is there.
  return first.ok ? mayBeNode(seen.value, plan.node, plan.host.config.cluster?.node) : first
}

/** A cluster that runs has a secret. With another one, this node and the others could not read each other. */
function judgeFirst(seen: Survey, { isNew, address: { cluster } }: Plan): Result<void> {
  const [other] = isNew ? nodesNow(seen) : []
  return other === undefined
    ? ok(undefined)
    : refuse('SETUP_REFUSED', `the cluster ${cluster} is there already: its node ${other} runs`, {
        suggestion: `ghostport cluster invite FILE at ${other}, then ghostport cluster join FILE here`,
      })
}

interface Done {
  readonly steps: readonly { readonly what: string; readonly state: string }[]
  readonly wanted: NodeFiles
  readonly isDry: boolean
  /** Whether this node shares users. */
  readonly shares: boolean
}

function tell(given: Given, terminal: Terminal, { steps, wanted, isDry, shares }: Done): void {
  if (given.json > 0) {
    const { settings, files } = wanted
    terminal.printJson({ dryRun: isDry, etcd: steps, settings, files: files.map(({ path }) => path) })
    return
  }
  const words = { there: 'is there', made: 'made', missing: 'would be made' }
  terminal.print([
    ...steps.map(({ what, state }) => `etcd: ${what}: ${words[state as keyof typeof words]}`),
    ...tellFiles(wanted, isDry),
  ])
  if (isDry) terminal.note('nothing was changed')
  else
    terminal.note([
      ...(given['no-login'] > 0
        ? ['warning: etcd asks nobody who he is: who reaches it can have packets used twice']
        : []),
      ...(given.plain > 0 ? ['warning: what goes to etcd is not encrypted'] : []),
      `next: ${RESTART}`,
      'then, for each other node: ghostport cluster invite FILE',
      ...tellUsers(shares, 0),
    ])
}
