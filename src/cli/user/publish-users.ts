/** `ghostport user publish`: users of this node become users of its cluster; or its copy becomes the newest state. */
import { parseStanzaName, type StanzaName, sameNameKey } from '../../access/stanza-name.ts'
import { systemClock } from '../../clock.ts'
import { stanzaKey } from '../../cluster-users/pages.ts'
import { type Likeness, likenessOf } from '../../cluster-users/same-stanza.ts'
import { stanzaTexts } from '../../config/access/cluster-blocks.ts'
import { appendStanza } from '../../config/access/edit-stanza.ts'
import { editUsers, stanzasOf } from '../../config/access/edit-users.ts'
import { findUser, type User } from '../../config/access/users.ts'
import { ok, type Result, refuse } from '../../result.ts'
import type { Outcome } from '../command.ts'
import { recorded } from '../recorded.ts'
import { configFiles } from '../server/config-source.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { type AccessEdit, type AccessFiles, changeAccess, readAccess } from './access-files.ts'
import { clusterFile, publishCopy } from './cluster-change.ts'
import { getsIn } from './list-users.ts'
import type { Given } from './options.ts'
import { reportServer, tellServer } from './tell-server.ts'
import { unknownUser } from './unknown-user.ts'

export async function publishUsers(nameText: string | undefined, given: Given, terminal: Terminal): Promise<Outcome> {
  const ways = [nameText !== undefined, given.all > 0, given.copy > 0].filter((way) => way)
  if (ways.length !== 1) return refuse('CLI_USAGE', 'publish takes one of these: the NAME of a user, --all, --copy')
  if (given.except !== undefined && given.all === 0) return refuse('CLI_USAGE', '--except has no effect without --all')
  if (given.copy > 0) return await publishOwnCopy(given, terminal)
  const name = nameText === undefined ? ok(undefined) : parseStanzaName(nameText)
  if (!name.ok) return refuse('VALUE_INVALID', `NAME: ${name.failure.detail}`)
  const except = parseExcept(given.except)
  if (!except.ok) return except
  const source = configFiles(given)
  if (!source.ok) return source
  const wish: Wish = name.value === undefined ? { except: except.value } : { name: name.value }
  const changed = await changeAccess(source.value, 'all', (access) => toCluster(access, wish))
  if (!changed.ok) return changed
  const { result, server } = changed.value
  const answer = await tellServer(server.controlSocket)
  if (given.json > 0) terminal.printJson({ ...result, server: answer })
  else terminal.note(describe(result))
  return reportServer(answer, given.json > 0 ? { ...terminal, note: () => {} } : terminal)
}

/** One user, or all but these. */
type Wish = { readonly name: StanzaName } | { readonly name?: never; readonly except: readonly StanzaName[] }

function parseExcept(names: string | undefined): Result<readonly StanzaName[]> {
  const parsed: StanzaName[] = []
  for (const text of names?.split(',') ?? []) {
    const name = parseStanzaName(text.trim())
    if (!name.ok) return refuse('VALUE_INVALID', `--except: ${name.failure.detail}`)
    parsed.push(name.value)
  }
  return ok(parsed)
}

interface Published {
  /** Those that are not in access.conf any more. */
  readonly published: readonly StanzaName[]
  /** Of these, those that the cluster had already: another node was first, or an earlier try came so far. */
  readonly alreadyThere: readonly StanzaName[]
  /** Of these, those that were disabled in the cluster since. */
  readonly disabledThere: readonly StanzaName[]
  /** How many users of access.conf still get in without the cluster. */
  readonly ownLeft: number
}

function describe({ published, alreadyThere, disabledThere, ownLeft }: Published): readonly string[] {
  if (published.length === 0) return ['no user of this node’s own access.conf is to be published: nothing changed']
  const added = published.filter((name) => !alreadyThere.includes(name))
  return [
    ...(added.length === 0
      ? []
      : [
          `now of the cluster, and not in access.conf any more: ${added.join(', ')}`,
          'a node that has them in its own access.conf too goes on with those: say the same there',
        ]),
    ...(alreadyThere.length === 0
      ? []
      : [`of the cluster already, and not in access.conf any more: ${alreadyThere.join(', ')}`]),
    ...(disabledThere.length === 0
      ? []
      : [`disabled in the cluster, and so at this node too: ${disabledThere.join(', ')}`]),
    ...(ownLeft > 0
      ? []
      : [
          'warning: nobody is left in access.conf who gets in without the users of the cluster. A way in for administrators: ghostport user add NAME --local',
        ]),
  ]
}

function toCluster({ users, files, clusterFile: file }: AccessFiles, wish: Wish): Result<AccessEdit<Published>> {
  if (file === undefined)
    return refuse('CONFIG_CONFLICT', 'there are no users of a cluster here: CLUSTER_USERS is not Y')
  const own = users.filter(({ ofCluster }) => !ofCluster)
  const chosen = choose(users, own, wish)
  if (!chosen.ok) return chosen
  const nameless = chosen.value.find((user) => user.name === undefined)
  if (nameless !== undefined)
    return refuse('CONFIG_MISSING_KEY', 'a stanza of a cluster needs a NAME', {
      at: { file: nameless.place.file, line: nameless.place.first },
      suggestion: 'NAME somebody',
    })
  const read = files.read(file)
  const before = read.ok ? read.value : ''
  const there = new Map(stanzaTexts(before).map(({ text }) => [stanzaKey(text), text] as const))
  const added: string[] = []
  const found: { readonly name: StanzaName; readonly likeness: Likeness }[] = []
  const linesOf = new Map<string, readonly string[]>()
  for (const { name, place } of chosen.value) {
    const text = linesOf.has(place.file) ? ok('') : files.read(place.file)
    if (!text.ok) return text
    const lines = linesOf.get(place.file) ?? text.value.split('\n').map((line) => line.replace(/\r$/, ''))
    linesOf.set(place.file, lines)
    const [first = '', ...others] = lines.slice(place.first - 1, place.last)
    const stanza = [first.trimStart(), ...others]
    const known = name === undefined ? undefined : there.get(sameNameKey(name))
    if (name !== undefined && known !== undefined) found.push({ name, likeness: likenessOf(stanza, known) })
    else added.push(...(added.length === 0 ? [] : ['']), ...stanza)
  }
  const others = named(found, 'other')
  if (others.length > 0)
    return refuse(
      'USER_EXISTS',
      `the cluster has another user of this name, with other keys or settings: ${others.join(', ')}`,
      {
        suggestion: `ghostport user remove ${others[0]} --local, if that of the cluster is to count here; else another NAME`,
      },
    )
  const text = added.length === 0 ? before : appendStanza(before, added)
  // The cluster has them first. Meanwhile a user is in both, and this node’s own stanza counts.
  const removed = editUsers(
    files,
    chosen.value.map((user) => ({ user, edit: 'remove' }) as const),
  )
  if (!removed.ok) return removed
  const published = chosen.value.flatMap((user) => (user.name === undefined ? [] : [user.name]))
  const alreadyThere = found.map(({ name }) => name)
  const now = systemClock.now()
  const left = own.filter((user) => !chosen.value.includes(user) && getsIn(user, now))
  return ok({
    texts: new Map([...removed.value, ...(text === before ? [] : [[file, text] as const])]),
    // What is removed here must be in force from there.
    relied: new Set(alreadyThere.map(sameNameKey)),
    result: { published, alreadyThere, disabledThere: named(found, 'disabled there'), ownLeft: left.length },
    recorded: { did: 'user publish', to: published.join(', ') },
  })
}

function named(
  found: readonly { readonly name: StanzaName; readonly likeness: Likeness }[],
  wanted: Likeness,
): readonly StanzaName[] {
  return found.flatMap(({ name, likeness }) => (likeness === wanted ? [name] : []))
}

/** With the keys that they had before: these share their fate. */
function choose(users: readonly User[], own: readonly User[], wish: Wish): Result<readonly User[]> {
  if (wish.name !== undefined) {
    if (findUser(own, wish.name) !== undefined) return ok(stanzasOf(own, wish.name))
    const there = findUser(users, wish.name)
    return there === undefined
      ? unknownUser(users, wish.name)
      : refuse('USER_EXISTS', `${there.name} is a user of the cluster already`)
  }
  for (const name of wish.except) if (findUser(own, name) === undefined) return unknownUser(own, name)
  const kept = new Set(wish.except.flatMap((name) => stanzasOf(own, name)))
  return ok(own.filter((user) => !kept.has(user)))
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
