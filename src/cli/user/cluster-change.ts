/**
 * Changes to the stanzas of the cluster (CLUSTER_USERS). This node’s copy of them is edited like access.conf, and what
 * changed is given to the running server: it has the secret of the cluster. Nothing is written here.
 */
import { sameNameKey } from '../../access/stanza-name.ts'
import { type StanzaChange, stanzaKey } from '../../cluster-users/pages.ts'
import { judgeClusterStanza, stanzaTexts } from '../../config/access/cluster-blocks.ts'
import { marksOf } from '../../config/access/edit-stanza.ts'
import type { LoadedConfig } from '../../config/load.ts'
import type { ConfigFiles } from '../../config/reading/config-files.ts'
import { clusterCopyPath, type ServerConfig } from '../../config/server/server-config.ts'
import type { ClusterUsersAnswer } from '../../daemon/warden/cluster-users/answers.ts'
import { askControl, CHANGE_TIME, NOBODY_THERE } from '../../daemon/warden/control.ts'
import { ok, type Result, refuse } from '../../result.ts'

/** @returns the path of the copy, where users of the cluster are edited; undefined without CLUSTER_USERS. */
export function clusterFile(server: Pick<ServerConfig, 'cluster' | 'replay'>): string | undefined {
  return server.cluster?.users === undefined ? undefined : clusterCopyPath(server)
}

/**
 * @param texts what the files are to say. @param after what is loaded from them.
 * @param relied the keys of stanzas that stay as they are, and that the cluster must still have so: a “change” of each
 * into itself is asked for.
 * @returns what changes in the cluster; or why such a stanza cannot be there, or is not in force here.
 */
export function clusterChanges(
  server: ServerConfig,
  files: ConfigFiles,
  texts: ReadonlyMap<string, string>,
  after: LoadedConfig,
  relied: ReadonlySet<string> = new Set(),
): Result<readonly StanzaChange[]> {
  const file = clusterFile(server)
  const text = file === undefined ? undefined : texts.get(file)
  if (file === undefined || (text === undefined && relied.size === 0)) return ok([])
  const earlier = files.read(file)
  const there = stanzaTexts(earlier.ok ? earlier.value : '')
  const wanted = text === undefined ? there : stanzaTexts(text)
  const known = new Set(there.map((stanza) => stanza.text))
  const isRelied = (stanza: Placed): boolean => relied.size > 0 && relied.has(stanzaKey(stanza.text) ?? '')
  // Each that is new, also one that has no key here because it may not be there: it must not just be left out.
  for (const stanza of wanted) {
    const judged = known.has(stanza.text) && !isRelied(stanza) ? ok(undefined) : judge(file, stanza, after)
    if (!judged.ok) return judged
  }
  const [before, now] = [byKey(there), byKey(wanted)]
  const changes: StanzaChange[] = []
  for (const [key, stanza] of now) {
    const old = before.get(key)?.text
    if (old === stanza.text && !relied.has(key)) continue
    changes.push({ key, ...(old !== undefined && { before: old }), after: stanza.text })
  }
  for (const [key, { text: old }] of before) if (!now.has(key)) changes.push({ key, before: old })
  return ok(changes)
}

/** @returns once all nodes that are not cut off can have it, and this one has. Else nothing has changed. */
export async function changeCluster(
  socket: string,
  changes: readonly StanzaChange[],
): Promise<Result<{ readonly version: number }>> {
  return await askServer(socket, { ask: 'cluster users', changes })
}

/** Makes this node’s copy the newest users of the cluster. What etcd has does not count. */
export async function publishCopy(socket: string): Promise<Result<{ readonly version: number }>> {
  return await askServer(socket, { ask: 'cluster copy' })
}

async function askServer(
  socket: string,
  question: { readonly ask: string; readonly changes?: readonly StanzaChange[] },
): Promise<Result<{ readonly version: number }>> {
  const asked = await askControl(socket, question, CHANGE_TIME)
  if (!asked.ok) {
    const isNone = asked.failure.detail.endsWith(NOBODY_THERE)
    return refuse(
      'CLUSTER_USERS_REFUSED',
      isNone
        ? 'no server runs here, and only a running server can change users of the cluster'
        : `the running server did not say whether it was done: ${asked.failure.detail}`,
      {
        suggestion: isNone
          ? 'systemctl start ghostport, or --local for this node’s access.conf'
          : 'ghostport user list',
      },
    )
  }
  const answer = asked.value as ClusterUsersAnswer | { readonly error: string }
  if ('error' in answer)
    return refuse('CLUSTER_USERS_REFUSED', 'the running server was started without CLUSTER_USERS', {
      suggestion: 'systemctl restart ghostport',
    })
  if (answer.done) return ok({ version: answer.version })
  const { code, detail, suggestion } = answer
  return refuse(code, detail, suggestion === undefined ? {} : { suggestion })
}

type Placed = ReturnType<typeof stanzaTexts>[number]

function byKey(stanzas: readonly Placed[]): ReadonlyMap<string, Placed> {
  return new Map(
    stanzas.flatMap((stanza) => {
      const key = stanzaKey(stanza.text)
      return key === undefined ? [] : [[key, stanza] as const]
    }),
  )
}

/** As strict as access.conf is read: what this node would leave out is refused. */
function judge(file: string, { text, line }: Placed, { policy, notices }: LoadedConfig): Result<void> {
  if (marksOf(text.split('\n')).nodeKeys !== undefined)
    return refuse(
      'CONFIG_CONFLICT',
      'keys of a fleet are for one node, and a stanza of a cluster is for all of its nodes',
      {
        suggestion: '--local, for this node’s access.conf',
      },
    )
  const name = judgeClusterStanza(text)
  if (!name.ok) return name
  const key = sameNameKey(name.value)
  if (policy.stanzas.some((one) => one.ofCluster && one.name !== undefined && sameNameKey(one.name) === key))
    return ok(undefined)
  const last = line + text.split('\n').length
  const said = notices.find(({ at }) => at?.file === file && at.line >= line && at.line < last)
  return refuse('CONFIG_CONFLICT', said?.text ?? `this node cannot use the stanza ${name.value}`)
}
