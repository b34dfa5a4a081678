/** `ghostport cluster leave`: this host is no node any more. Nothing in etcd is touched. */
import { existsSync } from 'node:fs'
import type { StanzaName } from '../../access/stanza-name.ts'
import { systemClock } from '../../clock.ts'
import { clusterCopyPath, clusterCopyStatePath } from '../../config/server/server-config.ts'
import { withoutSettings } from '../../host/set-up/edit-settings.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { systemPath } from '../../system/system-path.ts'
import type { Outcome } from '../command.ts'
import { ask } from '../terminal/ask.ts'
import { shortened } from '../terminal/shortened.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { readAccess } from '../user/access-files.ts'
import { getsIn } from '../user/list-users.ts'
import {
  AUTHORITIES_NAME,
  besideSettings,
  CLUSTER_SETTINGS,
  changeHost,
  type HostSettings,
  judgeChange,
  PASSWORD_NAME,
  readHostSettings,
  SECRET_NAME,
} from './host-settings.ts'
import type { Given } from './options.ts'
import { RESTART } from './own-node.ts'

export async function leaveCluster(given: Given, terminal: Terminal): Promise<Outcome> {
  const host = readHostSettings(given)
  if (!host.ok) return host
  const { file, config } = host.value
  const { cluster } = config
  if (cluster === undefined) return await leaveTheRest(host.value, given, terminal)
  // Only files that init or join have made.
  const made = [
    [cluster.passwordFile, PASSWORD_NAME],
    [cluster.secretFile, SECRET_NAME],
    [cluster.authoritiesFile, AUTHORITIES_NAME],
  ].flatMap(([path, name]) => (path !== undefined && path === besideSettings(file, name ?? '') ? [path] : []))
  // They hold the keys of all users, and the next cluster has others.
  const copies = [clusterCopyPath(config), clusterCopyStatePath(config)]
  const removed = [...made, ...copies].filter((path) => existsSync(systemPath(path)))
  const shutOut = onlyOfCluster(file)
  const plan = [
    `the settings CLUSTER… in ${file} become comments`,
    ...removed.map((path) => `${path} is removed`),
    ...(shutOut.length === 0 ? [] : [`these users of the cluster get in here no more: ${shortened(shutOut)}`]),
    `after that, a packet that was used at another node of ${cluster.cluster} is new here, while it is young`,
  ]
  const left = await askAndLeave(host.value, { to: cluster.cluster, plan, removed, shutOut }, given, terminal)
  if (left !== 'left') return left
  const { user, cluster: name } = cluster
  if (given.json > 0)
    terminal.printJson({ dryRun: false, removed, shutOut, remains: `ghostport/${name}/`, user: user ?? null })
  else
    terminal.note([
      `next: ${RESTART}`,
      `in etcd remain: the used packets, which etcd forgets by itself${user === undefined ? '' : `, and the user ${user}`}`,
      ...(user === undefined
        ? []
        : [
            'this host knew the password of that user, and the secret of the cluster. Where it must not, give the other nodes new ones (docs/CLUSTER.md)',
            `after the last node: etcdctl user delete ${user}; etcdctl role delete ghostport-${name}; etcdctl del --prefix ghostport/${name}/`,
          ]),
    ])
  return 0
}

/** An earlier leave, or an init that failed, has left files with secrets. */
async function leaveTheRest(host: HostSettings, given: Given, terminal: Terminal): Promise<Outcome> {
  const { file, config } = host
  const removed = [
    ...[PASSWORD_NAME, SECRET_NAME, AUTHORITIES_NAME].map((name) => besideSettings(file, name)),
    ...[clusterCopyPath(config), clusterCopyStatePath(config)],
  ].filter((path) => existsSync(systemPath(path)))
  if (removed.length === 0) return refuse('SETUP_REFUSED', `${file} has no CLUSTER: this host is in no cluster`)
  const plan = [
    `${file} has no CLUSTER: this host is in no cluster, and has files of one`,
    ...removed.map((path) => `${path} is removed`),
  ]
  const left = await askAndLeave(host, { to: 'files of a cluster', plan, removed, shutOut: [] }, given, terminal)
  if (left !== 'left') return left
  if (given.json > 0) terminal.printJson({ dryRun: false, removed })
  else terminal.note('they are removed')
  return 0
}

/** Who gets in at this host by a stanza of the cluster now: its own access.conf does not have them. */
function onlyOfCluster(file: string): readonly StanzaName[] {
  const access = readAccess({ server: file })
  // Where the files cannot be read, the server lets nobody in anyway.
  if (!access.ok) return []
  const now = systemClock.now()
  return access.value.users.flatMap((user) =>
    user.ofCluster && user.name !== undefined && getsIn(user, now) ? [user.name] : [],
  )
}

interface Leaving {
  readonly to: string
  readonly plan: readonly string[]
  readonly removed: readonly string[]
  readonly shutOut: readonly StanzaName[]
}

async function askAndLeave(
  host: HostSettings,
  { to, plan, removed, shutOut }: Leaving,
  given: Given,
  terminal: Terminal,
): Promise<Outcome | 'left'> {
  const edit = (text: string): string => withoutSettings(text, CLUSTER_SETTINGS)
  const change = { did: 'cluster leave', to, edit, removed } as const
  const judged = judgeChange(host, change)
  if (!judged.ok) return judged
  const isDry = given['dry-run'] > 0
  if (given.json === 0) terminal.print(plan)
  const agreed = isDry || given.yes > 0 ? ok(true) : agree()
  if (!agreed.ok) return agreed
  if (isDry || !agreed.value) {
    if (given.json > 0) terminal.printJson({ dryRun: isDry, removes: removed, shutOut })
    else terminal.note('nothing was changed')
    return agreed.value ? 0 : 1
  }
  const changed = await changeHost(host, change)
  return changed.ok ? 'left' : changed
}

function agree(): Result<boolean> {
  const answer = ask('Take this host out of the cluster? [y/N]')
  if (answer === undefined) return refuse('CLI_USAGE', 'there is no terminal to ask at', { suggestion: '--yes' })
  return ok(/^y(es)?$/i.test(answer))
}
