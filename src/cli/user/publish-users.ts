/** `ghostport user publish`: users of this node become users of its cluster; or its copy becomes the newest state. */
import { parseStanzaName, type StanzaName, sameNameKey } from '../../access/stanza-name.ts'
import { stanzaKey } from '../../cluster-users/pages.ts'
import { stanzaTexts } from '../../config/access/cluster-blocks.ts'
import { appendStanza } from '../../config/access/edit-stanza.ts'
import { editUsers, stanzasOf } from '../../config/access/edit-users.ts'
import { findUser } from '../../config/access/users.ts'
import { ok, type Result, refuse } from '../../result.ts'
import type { Outcome } from '../command.ts'
import { recorded } from '../recorded.ts'
import { configFiles } from '../server/config-source.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { type AccessFiles, changeAccess, type NewTexts, readAccess } from './access-files.ts'
import { clusterFile, publishCopy } from './cluster-change.ts'
import type { Given } from './options.ts'
import { reportServer, tellServer } from './tell-server.ts'
import { unknownUser } from './unknown-user.ts'

export async function publishUsers(nameText: string | undefined, given: Given, terminal: Terminal): Promise<Outcome> {
  const ways = [nameText !== undefined, given.all > 0, given.copy > 0].filter((way) => way)
  if (ways.length !== 1) return refuse('CLI_USAGE', 'publish takes one of these: the NAME of a user, --all, --copy')
  if (given.copy > 0) return await publishOwnCopy(given, terminal)
  const name = nameText === undefined ? ok(undefined) : parseStanzaName(nameText)
  if (!name.ok) return refuse('VALUE_INVALID', `NAME: ${name.failure.detail}`)
  const source = configFiles(given)
  if (!source.ok) return source
  const changed = await changeAccess(source.value, 'all', (access) => toCluster(access, name.value))
  if (!changed.ok) return changed
  const { published } = changed.value.result
  const answer = await tellServer(changed.value.server.controlSocket)
  if (given.json > 0) terminal.printJson({ published, server: answer })
  else
    terminal.note(
      published.length === 0
        ? 'this node has no users of its own: nothing changed'
        : `now of the cluster, and not in access.conf any more: ${published.join(', ')}`,
    )
  return reportServer(answer, given.json > 0 ? { ...terminal, note: () => {} } : terminal)
}

function toCluster(
  { users, files, clusterFile: file }: AccessFiles,
  name: StanzaName | undefined,
): Result<{ texts: NewTexts; result: { published: readonly StanzaName[] }; recorded: { did: string; to: string } }> {
  if (file === undefined)
    return refuse('CONFIG_CONFLICT', 'there are no users of a cluster here: CLUSTER_USERS is not Y')
  const own = users.filter(({ ofCluster }) => !ofCluster)
  const chosen = name === undefined ? own : stanzasOf(own, name)
  if (name !== undefined && findUser(own, name) === undefined) {
    const there = findUser(users, name)
    return there === undefined
      ? unknownUser(users, name)
      : refuse('USER_EXISTS', `${there.name} is a user of the cluster already`)
  }
  const nameless = chosen.find((user) => user.name === undefined)
  if (nameless !== undefined)
    return refuse('CONFIG_MISSING_KEY', 'a stanza of a cluster needs a NAME', {
      at: { file: nameless.place.file, line: nameless.place.first },
      suggestion: 'NAME somebody',
    })
  const read = files.read(file)
  const before = read.ok ? read.value : ''
  const there = new Map(stanzaTexts(before).map(({ text }) => [stanzaKey(text), text] as const))
  const all: string[] = []
  const linesOf = new Map<string, readonly string[]>()
  for (const { name: its, place } of chosen) {
    const text = linesOf.has(place.file) ? ok('') : files.read(place.file)
    if (!text.ok) return text
    const lines = linesOf.get(place.file) ?? text.value.split('\n').map((line) => line.replace(/\r$/, ''))
    linesOf.set(place.file, lines)
    const [first = '', ...others] = lines.slice(place.first - 1, place.last)
    const stanza = [first.trimStart(), ...others]
    const known = its === undefined ? undefined : there.get(sameNameKey(its))
    if (known === stanza.join('\n').trimEnd()) continue // A publish before this one came so far.
    if (known !== undefined)
      return refuse('USER_EXISTS', `the cluster has another user ${its}: give one of them another NAME`)
    all.push(...(all.length === 0 ? [] : ['']), ...stanza)
  }
  const text = all.length === 0 ? before : appendStanza(before, all)
  // The cluster has them first. Meanwhile a user is in both, and this node’s own stanza counts.
  const removed = editUsers(
    files,
    chosen.map((user) => ({ user, edit: 'remove' }) as const),
  )
  if (!removed.ok) return removed
  const published = chosen.flatMap((user) => (user.name === undefined ? [] : [user.name]))
  const texts = new Map([...removed.value, ...(text === before ? [] : [[file, text] as const])])
  return ok({ texts, result: { published }, recorded: { did: 'user publish', to: published.join(', ') } })
}

/** After an etcd that was put back: what this node knows is what counts. */
async function publishOwnCopy(given: Given, terminal: Terminal): Promise<Outcome> {
  const source = configFiles(given)
  const access = source.ok ? readAccess(source.value) : source
  if (!access.ok) return access
  const { server } = access.value
  if (clusterFile(server) === undefined)
    return refuse('CONFIG_CONFLICT', 'there are no users of a cluster here: CLUSTER_USERS is not Y')
  const done = await recorded(server.auditLog, { did: 'user publish', to: 'the copy of this node' }, () =>
    publishCopy(server.controlSocket),
  )
  if (!done.ok) return done
  if (given.json > 0) terminal.printJson({ version: done.value.version })
  else terminal.note(`the copy of this node is version ${done.value.version} of the users of the cluster`)
  return 0
}
