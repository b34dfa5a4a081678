/** What `user add --nodes` and `user rotate` of a fleet write and show: the profile once, and bundles. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { StanzaName } from '../../access/stanza-name.ts'
import { BUNDLE_SETTINGS, formatBundle, type NodeBundle } from '../../config/access/node-bundle.ts'
import type { RcChange } from '../../config/client/edit-fwknoprc.ts'
import {
  type FleetNode,
  type FleetProfile,
  fleetText,
  formatFleetProfile,
  MOST_NODES,
  parseFleetProfile,
} from '../../config/client/fleet-profile.ts'
import type { Profile } from '../../config/client/profile.ts'
import { isStanzaName } from '../../config/client/profile-url.ts'
import { chooseNodes } from '../../config/nodes/choose-nodes.ts'
import type { Node } from '../../config/nodes/nodes-conf.ts'
import { readSettingLines } from '../../config/reading/setting-lines.ts'
import { DEFAULT_DIGEST_TYPE } from '../../packet/digest-type.ts'
import type { NodeSecret } from '../../packet/key.ts'
import { deriveNodeKeys, formatNodeSecret, nodeKeyTexts } from '../../packet/node-keys.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { createUserFile } from '../../system/replace-user-file.ts'
import type { Port, UnixSeconds } from '../../units.ts'
import type { KeyTexts } from '../knock/keygen-text.ts'
import { readNodes } from '../node/nodes-file.ts'
import { describeServer } from '../node/server-text.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { Given } from './options.ts'
import { judgeShowing, type ServerAddress } from './show-profile.ts'

/** The nodes of a command, and how it shows the secret. */
export interface FleetWish {
  readonly nodes: readonly Node[]
  /** Absent: this host is none of them. */
  readonly here?: Node
  readonly alias: string
  readonly gateway: readonly RcChange[]
  readonly shows: 'terminal' | 'file' | 'asked'
}

/** Options that say of one server what the list of nodes says of each. */
const OF_ONE_SERVER = ['server', 'gateway-target'] as const

/** Before anything is changed. @param nodesText `--nodes`, or the names. */
export function fleetWish(user: StanzaName, nodesText: string, given: Given): Result<FleetWish, Failure> {
  const wrongOption = OF_ONE_SERVER.find((option) => given[option] !== undefined)
  if (wrongOption !== undefined)
    return refuse('CLI_USAGE', `--${wrongOption} is for one server: with --nodes, nodes.conf has the addresses`, {
      suggestion: 'ghostport node set',
    })
  if (given.qr === 'android')
    return refuse('CLI_USAGE', 'the Android client Fwknop2 knows no fleet: --qr profile, or --qr none', {
      suggestion: 'ghostport client export NODE, for the keys of one node',
    })
  if (given.qr !== undefined && given.qr !== 'profile' && given.qr !== 'none')
    return refuse('VALUE_INVALID', `--qr: “${given.qr}” is not one of profile, none`)
  const list = readNodes(given)
  if (!list.ok) return list
  const chosen = chooseNodes(list.value.nodes, nodesText)
  if (!chosen.ok) return chosen
  if (chosen.value.length > MOST_NODES)
    return refuse('CLI_USAGE', `one secret is for ${MOST_NODES} nodes at most, and these are ${chosen.value.length}`)
  const alias = given.alias ?? user
  if (!isStanzaName(alias))
    return refuse('VALUE_INVALID', `--alias: “${alias}” cannot be the name of a stanza in the rc file`)
  if (chosen.value.some(({ name }) => name === alias.toLowerCase()))
    return refuse('VALUE_INVALID', `“${alias}” is the name of a node: the stanza with the secret needs another name`, {
      suggestion: `--alias ${alias}-fleet`,
    })
  const shows = judgeShowing(given)
  if (!shows.ok) return shows
  const here = chosen.value.find(({ isThis }) => isThis)
  const gateway = given.gateway?.replaceAll(/\s/g, '')
  return ok({
    nodes: chosen.value,
    ...(here !== undefined && { here }),
    alias,
    gateway: gateway === undefined ? [] : [{ name: 'GATEWAY', value: gateway }],
    shows: shows.value,
  })
}

/** For a profile of the one node that this host is, or of any. */
export function addressOf({ alias, gateway, nodes: [first], here }: FleetWish): ServerAddress {
  return { server: (here ?? first)?.server ?? '', alias, ...(gateway.length > 0 && { gateway }) }
}

export function derivedKeys(secret: NodeSecret, { keyName }: FleetNode): KeyTexts {
  return { ...nodeKeyTexts(deriveNodeKeys(secret, keyName)), hmacDigestType: DEFAULT_DIGEST_TYPE }
}

const OF_NODES: ReadonlySet<string> = new Set(['SPA_SERVER', 'SPA_SERVER_PORT', 'KEY_BASE64', 'HMAC_KEY_BASE64'])

/**
 * @param one the profile of one node.
 * @param spaPort of all nodes, if the users of the stanza have one of their own.
 * @returns the profile of all, as the client will read it.
 */
export function fleetProfile(
  { alias, nodes }: FleetWish,
  secret: NodeSecret,
  { settings, made, until }: Pick<Profile, 'settings' | 'made' | 'until'>,
  spaPort?: Port,
): Result<FleetProfile, Failure> {
  const profile: FleetProfile = {
    ...{ name: alias, secret: formatNodeSecret(secret), made },
    settings: settings.filter(({ name }) => !OF_NODES.has(name)),
    nodes: spaPort === undefined ? nodes : nodes.map((node) => ({ ...node, port: spaPort })),
    ...(until !== undefined && { until }),
  }
  const read = parseFleetProfile(formatFleetProfile(profile))
  return read.ok ? ok(profile) : read
}

/** The settings of a bundle, from the lines of a stanza. */
export function bundleSettings(lines: readonly string[]): NodeBundle['settings'] {
  const read = readSettingLines('stanza', lines.join('\n'), BUNDLE_SETTINGS)
  if (!read.ok) return []
  return BUNDLE_SETTINGS.flatMap((name) => {
    const value = read.value.find((line) => line.name === name)?.value
    return value === undefined ? [] : [{ name, value }]
  })
}

export interface WrittenBundle {
  readonly node: Node
  readonly file: string
}

/** What of a bundle is the same for all nodes. */
export interface BundleParts {
  readonly user: StanzaName
  readonly made: UnixSeconds
  readonly settings: NodeBundle['settings']
  readonly oldKeysUntil?: UnixSeconds
}

/**
 * Writes the profile, where a file is asked for, and a bundle for each node but this host. All or none.
 * @returns how to take it back.
 */
export function writeFleetFiles(
  { nodes, here }: FleetWish,
  secret: NodeSecret,
  profile: FleetProfile,
  parts: BundleParts,
  given: Pick<Given, 'profile-file' | 'bundle-folder'>,
): Result<{ readonly bundles: readonly WrittenBundle[]; readonly takeBack: () => void }, Failure> {
  const written: string[] = []
  const removeAll = (): void => {
    for (const file of written) rmSync(file, { force: true })
  }
  const write = (file: string, text: string): Result<void, Failure> => {
    const created = createUserFile(file, text)
    if (created.ok) written.push(file)
    else removeAll()
    return created
  }
  const file = given['profile-file']
  const kept = file === undefined ? ok(undefined) : write(file, `${formatFleetProfile(profile)}\n`)
  if (!kept.ok) return kept
  const bundles: WrittenBundle[] = []
  for (const node of nodes) {
    if (node === here) continue
    const { key, hmacKey } = nodeKeyTexts(deriveNodeKeys(secret, node.keyName))
    const path = join(given['bundle-folder'] ?? '.', `${parts.user}.${node.name}.bundle`)
    const created = write(path, formatBundle({ ...parts, node: node.keyName, key, hmacKey }))
    if (!created.ok) return created
    bundles.push({ node, file: path })
  }
  return ok({ bundles, takeBack: removeAll })
}

/** @returns what JSON has of the profile. */
export async function showFleet(
  profile: FleetProfile,
  { shows }: FleetWish,
  given: Given,
  terminal: Terminal,
): Promise<Readonly<Record<string, unknown>>> {
  const line = formatFleetProfile(profile)
  const isAsked = given['show-secrets'] > 0
  if (given.json > 0) return isAsked ? { profile: line, fwknoprc: `${fleetText(profile)}\n` } : {}
  if (isAsked || shows === 'terminal') {
    const { style } = terminal
    terminal.print([
      style.bold('# For the client: stanzas of ~/.fwknoprc (chmod 600).'),
      ...fleetText(profile).split('\n'),
      '',
      style.bold('# The same for ghostport on the client: run “ghostport client add”, and paste this line.'),
      line,
    ])
    const isTerminal = process.getBuiltinModule('node:tty').isatty(1)
    if ((given.qr ?? (isTerminal ? 'profile' : 'none')) === 'profile') {
      const { qrCode, qrLines } = await import('../terminal/qr-code.ts')
      const code = await qrCode(line)
      if (code === undefined) terminal.note('the profile is too long for a QR code: use the line')
      else
        terminal.print([
          '',
          style.bold('# The profile as a QR code.'),
          ...qrLines(code),
          'Clear the screen when all of it is copied: it shows the secret.',
        ])
    }
  }
  const file = given['profile-file']
  if (file !== undefined)
    terminal.note([
      `wrote the profile to ${file}: on the client, “ghostport client add --file FILE” reads it`,
      `it has the secret for all nodes: take it to the client, and delete it here`,
    ])
  return {}
}

/** What is left to do. */
export function describeBundles(bundles: readonly WrittenBundle[], user: StanzaName): readonly string[] {
  if (bundles.length === 0) return []
  return [
    `${user} knocks at the other nodes when they have read their bundles. For each, for example:`,
    ...bundles.map(({ node, file }) => `  ssh ${node.server} sudo ghostport user import < ${file}`),
    'then delete the files: each has the keys of one node',
  ]
}

export function bundlesJson(bundles: readonly WrittenBundle[]) {
  return bundles.map(({ node, file }) => ({
    node: node.name,
    keyName: node.keyName,
    server: describeServer(node),
    file,
  }))
}
