/** `ghostport user add NAME --nodes …`: one secret, keys for this node, and a bundle for each other node. */
import { randomBytes } from 'node:crypto'
import type { StanzaName } from '../../access/stanza-name.ts'
import { systemClock } from '../../clock.ts'
import { setting, withNodeMark } from '../../config/access/edit-stanza.ts'
import type { FleetProfile } from '../../config/client/fleet-profile.ts'
import { NodeSecret } from '../../packet/key.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { Outcome } from '../command.ts'
import { describeNotice, noticeJson } from '../server/notice-lines.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { type PutUser, putUser } from './add-user.ts'
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
import { makeProfile } from './show-profile.ts'
import { reportServer, tellServer } from './tell-server.ts'
import { parseWish } from './wishes.ts'

interface Made {
  readonly profile: FleetProfile
  readonly bundles: readonly WrittenBundle[]
  /** Absent: this host is none of the nodes. */
  readonly put?: PutUser
}

export async function addFleetUser(
  name: StanzaName,
  nodes: string,
  given: Given,
  terminal: Terminal,
): Promise<Outcome> {
  const wish = fleetWish(name, nodes, given)
  if (!wish.ok) return wish
  const made = await make(name, given, wish.value)
  if (!made.ok) return made
  const { profile, bundles, put } = made.value
  // First of all: the secret is nowhere else.
  const shown = await showFleet(profile, wish.value, given, terminal)
  const answer = put === undefined ? undefined : await tellServer(put.server.controlSocket)
  if (given.json > 0)
    terminal.printJson({
      ...{ user: name, file: put?.file ?? null, open: put?.open ?? given.open ?? null, ...shown },
      nodes: wish.value.nodes.map((node) => node.name),
      ...{ bundles: bundlesJson(bundles), notices: put?.notices.map(noticeJson) ?? [], server: answer ?? null },
    })
  else {
    terminal.note(
      put === undefined
        ? `this host is none of these nodes: nothing changed here`
        : `added ${name} to ${put.file}: may open ${put.open}`,
    )
    for (const notice of put?.notices ?? []) terminal.note(describeNotice(notice))
    terminal.note(describeBundles(bundles, name))
  }
  return answer === undefined ? 0 : reportServer(answer, given.json > 0 ? { ...terminal, note: () => {} } : terminal)
}

async function make(name: StanzaName, given: Given, wish: FleetWish): Promise<Result<Made, Failure>> {
  const now = systemClock.now()
  const parsed = parseWish(given, name, now)
  if (!parsed.ok) return parsed
  const { spaPort, expires, client, open, lines } = parsed.value
  const secret = newSecret()
  const { here } = wish
  const all = wish.nodes.map(({ keyName }) => keyName)
  if (here === undefined) {
    if (open === undefined)
      return refuse(
        'CLI_USAGE',
        'this host is none of these nodes, so it does not know what users open: --open is needed',
        {
          suggestion: '--open tcp/22',
        },
      )
    const [first] = wish.nodes
    if (first === undefined) throw new Error('a choice has a node')
    const one = makeProfile(addressOf(wish), { captures: [] }, derivedKeys(secret, first), {
      ...{ ports: open, client, made: now },
      ...(expires !== undefined && { until: expires }),
    })
    const profile = one.ok ? fleetProfile(wish, secret, one.value, spaPort) : one
    if (!profile.ok) return profile
    const settings = bundleSettings([...lines, setting('OPEN_PORTS', open)])
    const written = writeFleetFiles(wish, secret, profile.value, { user: name, made: now, settings }, given)
    return written.ok ? ok({ profile: profile.value, bundles: written.value.bundles }) : written
  }
  let made: Made | undefined
  const put = await putUser(name, given, addressOf(wish), {
    ...{ now, did: 'user add', keys: derivedKeys(secret, here) },
    keep: (one, _server, keyless) => {
      const profile = fleetProfile(wish, secret, one, spaPort)
      if (!profile.ok) return profile
      const settings = bundleSettings(keyless)
      const written = writeFleetFiles(wish, secret, profile.value, { user: name, made: now, settings }, given)
      if (!written.ok) return written
      made = { profile: profile.value, bundles: written.value.bundles }
      return ok({ takeBack: written.value.takeBack })
    },
    edit: (its) => withNodeMark(its, { keyName: here.keyName, made: now, all }),
  })
  if (!put.ok) return put
  if (made === undefined) throw new Error('what was written was kept before')
  return ok({ ...made, put: put.value })
}

/** Never written on a server. */
export function newSecret(): NodeSecret {
  const secret = NodeSecret.fromBytes(randomBytes(NodeSecret.byteCount))
  if (!secret.ok) throw new Error('random bytes have the length that is asked for')
  return secret.value
}
