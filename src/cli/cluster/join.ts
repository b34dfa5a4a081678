/** `ghostport cluster join FILE`: this host becomes a node of a cluster that another node told of. */
import { existsSync } from 'node:fs'
import { withSettings } from '../../host/set-up/edit-settings.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { systemPath } from '../../system/system-path.ts'
import { readCertificates } from '../../system/trusted-file.ts'
import type { Outcome } from '../command.ts'
import { fromHere } from '../server/config-source.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { survey } from './errand.ts'
import {
  AUTHORITIES_NAME,
  besideSettings,
  changeHost,
  type HostSettings,
  judgeChange,
  PASSWORD_NAME,
  readHostSettings,
  SECRET_NAME,
  secretLine,
} from './host-settings.ts'
import { type JoinFile, readJoinFile } from './join-file.ts'
import { mayBeNode } from './judge-survey.ts'
import type { Given } from './options.ts'
import { asNode, judgeHost, nodeFiles, ownCertificate, ownNode, RESTART, tellFiles, tellUsers } from './own-node.ts'

export async function joinCluster(file: string, given: Given, terminal: Terminal): Promise<Outcome> {
  const path = fromHere(file)
  if (!path.ok) return path
  const joined = readJoinFile(path.value)
  if (!joined.ok) return joined
  const host = readHostSettings(given)
  if (!host.ok) return host
  const node = ownNode(given, host.value)
  if (!node.ok) return node
  const own = ownCertificate(given)
  if (!own.ok) return own
  const fits = judgeHere(host.value, joined.value)
  if (!fits.ok) return fits
  const { address, text, password, secret, authorities } = joined.value
  const users = given.users > 0
  if (users && secret === undefined)
    return refuse('CLI_USAGE', '--users needs the secret of the cluster, and that cluster has none', {
      suggestion: 'CLUSTER_SECRET_FILE at its nodes: docs/CLUSTER.md, “Users of the cluster”',
    })
  const wanted = { text, node: node.value, password, secret, authorities, own: own.value, users }
  const seen = await survey(asNode(address, wanted))
  if (!seen.ok) return seen
  const allowed = mayBeNode(seen.value, node.value, host.value.config.cluster?.node)
  if (!allowed.ok) return allowed
  const made = nodeFiles(host.value.file, wanted)
  const { settings, files } = made
  const isDry = given['dry-run'] > 0
  const edit = (before: string): string => withSettings(before, settings)
  const change = { did: 'cluster join', to: address.cluster, edit, files } as const
  const changed = isDry ? judgeChange(host.value, change) : await changeHost(host.value, change)
  if (!changed.ok) return changed
  const silent = seen.value.members.filter(({ why }) => why !== undefined)
  if (given.json > 0) {
    terminal.printJson({ dryRun: isDry, settings, files: files.map((one) => one.path), silent })
    return 0
  }
  terminal.print(tellFiles(made, isDry))
  terminal.note([
    ...silent.map(({ at, why }) => `warning: ${at} does not answer: ${why}`),
    ...tellUsers(users || host.value.config.cluster?.users !== undefined, seen.value.usersVersion ?? 0),
    ...(isDry ? ['nothing was changed'] : [`next: ${RESTART}`, `delete ${path.value}: it holds secrets`]),
  ])
  return 0
}

/** Whether this host may be a node of that cluster, by its own files. */
function judgeHere(host: HostSettings, { text, maxAge, password, secret, authorities }: JoinFile): Result<void> {
  const judged = judgeHost(host, text)
  if (!judged.ok) return judged
  if (host.config.policy.maxAge !== maxAge)
    return refuse(
      'SETUP_REFUSED',
      `packets may be ${host.config.policy.maxAge} s old here, and ${maxAge} s at the other nodes: a node that accepts ` +
        'older packets than the others takes them again, once etcd has forgotten them',
      { suggestion: `MAX_SPA_PACKET_AGE ${maxAge}; in ${host.file}` },
    )
  for (const [name, wanted] of [
    [PASSWORD_NAME, password],
    [SECRET_NAME, secret],
    [AUTHORITIES_NAME, authorities],
  ] as const) {
    const path = besideSettings(host.file, name)
    if (wanted === undefined || !existsSync(systemPath(path))) continue
    const there = name === AUTHORITIES_NAME ? readCertificates(path) : secretLine(path)
    if (!there.ok && there.failure.code === 'CONFIG_EXPOSED') return there
    if (!there.ok || there.value.trim() !== wanted.trim())
      return refuse('SETUP_REFUSED', `${path} is there, and has other contents`, {
        suggestion: `mv ${path} ${path}.old`,
      })
  }
  return ok(undefined)
}
