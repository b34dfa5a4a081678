/**
 * `ghostport user rotate NAME` for a user of a fleet: another secret, other keys for this node, and a bundle for each
 * other node. On each node, the old keys end at the same time.
 */
import type { StanzaName } from '../../access/stanza-name.ts'
import { systemClock } from '../../clock.ts'
import { stanzaLines } from '../../config/access/edit-stanza.ts'
import { findUser } from '../../config/access/users.ts'
import type { FleetProfile } from '../../config/client/fleet-profile.ts'
import { protocolPortsValue } from '../../config/reading/setting-values.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { type UnixSeconds, unixSeconds } from '../../units.ts'
import type { Outcome } from '../command.ts'
import { readNodes } from '../node/nodes-file.ts'
import { configFiles } from '../server/config-source.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { changeAccess, readAccess } from './access-files.ts'
import { newSecret } from './add-fleet-user.ts'
import {
  addressOf,
  bundleSettings,
  bundlesJson,
  derivedKeys,
  describeBundles,
  type FleetWish,
  fleetProfile,
  fleetWish,
  showFleet,
  type WrittenBundle,
  writeFleetFiles,
} from './fleet-bundles.ts'
import type { Given } from './options.ts'
import { profileAfter, rotateStanza } from './rotate-user.ts'
import { makeProfile } from './show-profile.ts'
import { reportServer, tellServer } from './tell-server.ts'
import { unknownUser } from './unknown-user.ts'
import { parseRotation } from './wishes.ts'

/** Whether the stanza of this user has the keys of a node. */
export function isOfFleet(name: StanzaName, given: Given): boolean {
  return markOf(name, given) !== undefined
}

function markOf(name: StanzaName, given: Given) {
  const source = configFiles(given)
  const access = source.ok ? readAccess(source.value) : source
  return access.ok ? findUser(access.value.users, name)?.nodeKeys : undefined
}

interface Rotation {
  readonly profile: FleetProfile
  readonly bundles: readonly WrittenBundle[]
  readonly until: UnixSeconds
  /** Absent: this host is none of the nodes. */
  readonly here?: {
    readonly user: StanzaName
    readonly file: string
    readonly old: StanzaName
    readonly socket: string
  }
}

export async function rotateFleet(name: StanzaName, given: Given, terminal: Terminal): Promise<Outcome> {
  const nodes = given.nodes === undefined ? nodesOfMark(name, given) : ok(given.nodes)
  const wish = nodes.ok ? fleetWish(name, nodes.value, given) : nodes
  if (!wish.ok) return wish
  const known = markOf(name, given)?.all ?? []
  const left = known.filter((key) => !wish.value.nodes.some(({ keyName }) => keyName === key))
  const rotation = await rotate(name, given, wish.value)
  if (!rotation.ok) return rotation
  const { profile, bundles, until, here } = rotation.value
  // First of all: the secret is nowhere else.
  const shown = await showFleet(profile, wish.value, given, terminal)
  const answer = here === undefined ? undefined : await tellServer(here.socket)
  if (given.json > 0) {
    terminal.printJson({
      ...{ user: name, file: here?.file ?? null, ...shown, nodes: wish.value.nodes.map((node) => node.name) },
      ...{ bundles: bundlesJson(bundles), withoutNewKeys: left, oldKeys: here?.old ?? null, oldKeysUntil: until },
      server: answer ?? null,
    })
    return answer === undefined ? 0 : reportServer(answer, { ...terminal, note: () => {} })
  }
  const end = `until ${new Date(until * 1000).toISOString().replace('.000Z', 'Z')}`
  const isOver = until <= systemClock.now()
  if (here === undefined) terminal.note('this host is none of these nodes: nothing changed here')
  else
    terminal.note(
      `${here.user} has new keys. The old ones, called ${here.old}, open ${isOver ? 'nothing any more' : end}`,
    )
  terminal.note(describeBundles(bundles, name))
  if (left.length > 0)
    terminal.note(`without new keys: ${left.join(', ')}. There, only the old ones open, until “user remove”`)
  return answer === undefined ? 0 : reportServer(answer, terminal)
}

/** The names of the nodes that the secret was made for. */
function nodesOfMark(name: StanzaName, given: Given): Result<string, Failure> {
  const mark = markOf(name, given)
  const suggestion = `ghostport user rotate ${name} --nodes NODES`
  if (mark === undefined || mark.all.length === 0)
    return refuse('CLI_USAGE', `this host does not know for which nodes the secret of ${name} is`, { suggestion })
  const list = readNodes(given)
  if (!list.ok) return list
  const missing = mark.all.find((key) => !list.value.nodes.some(({ keyName }) => keyName === key))
  if (missing !== undefined)
    return refuse(
      'NODE_UNKNOWN',
      `${name} has keys for the key name ${missing}, and no node of ${list.value.file} has it`,
      {
        suggestion,
      },
    )
  const names = list.value.nodes.filter(({ keyName }) => mark.all.includes(keyName)).map((node) => node.name)
  return ok(names.join(','))
}

async function rotate(name: StanzaName, given: Given, wish: FleetWish): Promise<Result<Rotation, Failure>> {
  const source = configFiles(given)
  if (!source.ok) return source
  const now = systemClock.now()
  const asked = parseRotation(given, now)
  if (!asked.ok) return asked
  const { end, client } = asked.value
  const secret = newSecret()
  const { here } = wish
  const parts = { user: name, made: now, oldKeysUntil: end }
  if (here === undefined) {
    const [first] = wish.nodes
    const open = given.open === undefined ? undefined : protocolPortsValue()(given.open)
    if (open === undefined || !open.ok || given.open === undefined || first === undefined)
      return refuse('CLI_USAGE', 'this host is none of these nodes, so it does not know what the user opens', {
        suggestion: '--open tcp/22',
      })
    const one = makeProfile(addressOf(wish), { captures: [] }, derivedKeys(secret, first), {
      ...{ ports: given.open, client: client, made: now },
    })
    const profile = one.ok ? fleetProfile(wish, secret, one.value) : one
    if (!profile.ok) return profile
    const settings = [{ name: 'OPEN_PORTS', value: given.open }] as const
    const written = writeFleetFiles(wish, secret, profile.value, { ...parts, settings }, given)
    return written.ok ? ok({ profile: profile.value, bundles: written.value.bundles, until: end }) : written
  }
  if (given.open !== undefined)
    return refuse('CLI_USAGE', '--open has no effect here: the stanza says what the user opens')
  let removeAll = (): void => {}
  const changed = await changeAccess(source.value, 'all', (access) => {
    const user = findUser(access.users, name)
    if (user?.name === undefined) return unknownUser(access.users, name)
    const all = wish.nodes.map(({ keyName }) => keyName)
    // Later than the secret of before, also if the clock was set back: nodes take no bundle that is older.
    const made = unixSeconds(Math.max(now, (user.nodeKeys?.made ?? 0) + 1))
    const mark = { keyName: here.keyName, made, all }
    const keys = derivedKeys(secret, here)
    const rotated = rotateStanza(access, user, keys, { end: end, now, mark })
    if (!rotated.ok) return rotated
    const one = profileAfter(user, addressOf(wish), access.server, keys, { more: client, now }).profile
    const profile = one.ok ? fleetProfile(wish, secret, one.value, user.stanza?.spaPorts?.[0]?.first) : one
    if (!profile.ok) return profile
    const text = access.files.read(user.place.file)
    if (!text.ok) return text
    const settings = bundleSettings(stanzaLines(text.value, user.place))
    const { until, old } = rotated.value
    const carried = { ...parts, made, oldKeysUntil: until, settings }
    const written = writeFleetFiles(wish, secret, profile.value, carried, given)
    if (!written.ok) return written
    removeAll = written.value.takeBack
    return ok({
      texts: rotated.value.texts,
      result: {
        profile: profile.value,
        bundles: written.value.bundles,
        until,
        old,
        user: user.name,
        file: user.place.file,
      },
      recorded: { did: 'user rotate', to: user.name },
    })
  })
  if (!changed.ok) {
    removeAll()
    return changed
  }
  const { result, server } = changed.value
  const { profile, bundles, until, user, file, old } = result
  return ok({ profile, bundles, until, here: { user, file, old, socket: server.controlSocket } })
}
