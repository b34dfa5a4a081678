/** What the control socket answers to “ghostport user” about the users of the cluster. */
import { sameNameKey } from '../../../access/stanza-name.ts'
import type { StanzaChange } from '../../../cluster-users/pages.ts'
import { judgeClusterStanza } from '../../../config/access/cluster-blocks.ts'
import { list, type Reader, record, text } from '../../../json-reader.ts'
import { type Failure, type Result, refuse } from '../../../result.ts'
import type { Answer } from '../control.ts'
import type { ClusterUsers } from './cluster-users.ts'

export type ClusterUsersAnswer =
  | { readonly done: true; readonly version: number }
  | ({ readonly done: false } & Pick<Failure, 'code' | 'detail' | 'suggestion'>)

const stanza = text({ max: 8192 })
const readChanges: Reader<readonly StanzaChange[]> = list(
  record({ key: text({ max: 63 }) }, { before: stanza, after: stanza }),
  { min: 1, max: 20_000 },
)

export function clusterUsersAnswers(users: ClusterUsers): { readonly [ask: string]: Answer } {
  return {
    'cluster users': async ({ changes }) => answerOf(await change(users, readChanges(changes))),
    'cluster copy': async () => answerOf(await users.publishCopy()),
  }
}

/** The command has looked at each stanza as a start would. Here only its form counts. */
async function change(users: ClusterUsers, changes: readonly StanzaChange[] | undefined) {
  if (changes === undefined) return refuse('CLUSTER_USERS_REFUSED', 'the change is not in the form of this version')
  for (const { key, after } of changes) {
    if (after === undefined) continue
    const judged = judgeClusterStanza(after)
    if (!judged.ok) return judged
    if (sameNameKey(judged.value) !== key) return refuse('CLUSTER_USERS_REFUSED', `the stanza is not that of ${key}`)
  }
  return await users.edit(changes)
}

function answerOf(result: Result<{ readonly version: number }>): ClusterUsersAnswer {
  if (result.ok) return { done: true, version: result.value.version }
  const { code, detail, suggestion } = result.failure
  return { done: false, code, detail, ...(suggestion !== undefined && { suggestion }) }
}
