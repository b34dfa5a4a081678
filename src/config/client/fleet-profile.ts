/**
 * The profile of a fleet: one line with the secret of a user, and the servers (nodes) that its keys are derived for
 * (docs/WIRE.md § 17). “ghostport user add --nodes” makes it, and “ghostport client add” writes it into the rc file.
 *
 *   ghostport://fleet/1?name=ada&allow=source&open=tcp/22&secret=…&made=1764150000&node=web-1,web-1.example.org&node=…
 *
 * A node is NAME,SERVER, or NAME,SERVER,PORT, or NAME,SERVER,PORT,KEYNAME, with PORT empty for the usual one. Through a
 * gateway, each node has its own name there.
 */
import { deriveNodeKeys, nodeKeyTexts, parseNodeSecret } from '../../packet/node-keys.ts'
import { firstKeyName, type KeyName, type NodeName, parseKeyName, parseNodeName } from '../../packet/node-name.ts'
import { ok, type Result } from '../../result.ts'
import { type Port, parsePort } from '../../units.ts'
import type { RcChange } from './edit-fwknoprc.ts'
import { PROFILE_FIELDS, type Profile, profileStanza, readSettingFields, settingFields } from './profile.ts'
import {
  formatFields,
  fromBase64Url,
  isHost,
  isStanzaName,
  type ProfileFailure,
  readFields,
  readHead,
  readTimes,
  type Times,
  timeFields,
  toBase64Url,
  wrong,
} from './profile-url.ts'

export interface FleetNode {
  readonly name: NodeName
  readonly keyName: KeyName
  /** A name or an address. */
  readonly server: string
  /** Absent: the usual one. */
  readonly port?: Port
}

export interface FleetProfile extends Times {
  /** The name of the stanza with the secret. */
  readonly name: string
  /** Padded base64. */
  readonly secret: string
  /** What counts for all nodes. Each text is valid for its setting. */
  readonly settings: readonly RcChange[]
  /** At least one. No two have the same name, or the same key name. */
  readonly nodes: readonly FleetNode[]
}

const HEAD = 'ghostport://fleet/1?'
export const MOST_NODES = 500
/** A node has some 40 characters, and at most some 400. */
const LONGEST = 100_000

/** What a node says itself, or what is derived. */
const NOT_SHARED: ReadonlySet<string> = new Set(['server', 'port', 'target', 'key', 'hmac'])
const KNOWN: readonly string[] = [
  'name',
  ...Object.keys(PROFILE_FIELDS).filter((field) => !NOT_SHARED.has(field)),
  'secret',
  'made',
  'until',
  'node',
]

/** Whether a text begins as the profile of a fleet, of any version. */
export function isFleetProfile(text: string): boolean {
  return text.trim().startsWith('ghostport://fleet/')
}

/** The text of a profile. It is a secret. */
export function formatFleetProfile(profile: FleetProfile): string {
  const { name, secret, settings, nodes } = profile
  return formatFields(HEAD, [
    ['name', name],
    ...settingFields(settings),
    ['secret', toBase64Url(secret)],
    ...timeFields(profile),
    ...nodes.map((node) => ['node', formatNode(node)] as const),
  ])
}

/**
 * @param text with blanks and line ends around it, as it may be pasted.
 * @returns the profile; PROFILE_INVALID, which never quotes the text of the secret.
 */
export function parseFleetProfile(text: string): Result<FleetProfile, ProfileFailure> {
  const query = readHead(text, 'fleet', LONGEST)
  const fields = query.ok ? readFields(query.value, KNOWN, 'node') : query
  if (!fields.ok) return fields
  const { once, several } = fields.value
  const missing = ['name', 'open', 'secret'].find((field) => !once.has(field))
  if (missing !== undefined) return wrong(`the field “${missing}” is missing: was the whole line copied?`)
  const settings = readSettingFields(once)
  if (!settings.ok) return settings
  const secret = fromBase64Url(once.get('secret') ?? '')
  if (!parseNodeSecret(secret).ok) return wrong('the field “secret”: the secret cannot be used')
  const name = once.get('name') ?? ''
  if (!isStanzaName(name)) return wrong('the field “name” cannot be the name of a stanza')
  const nodes = readNodes(several, name)
  if (!nodes.ok) return nodes
  const times = readTimes(once)
  return times.ok ? ok({ name, secret, settings: settings.value, nodes: nodes.value, ...times.value }) : times
}

function readNodes(texts: readonly string[], fleet: string): Result<readonly FleetNode[], ProfileFailure> {
  if (texts.length === 0) return wrong('the field “node” is missing: was the whole line copied?')
  if (texts.length > MOST_NODES) return wrong(`it has ${texts.length} nodes, and a profile has at most ${MOST_NODES}`)
  const nodes: FleetNode[] = []
  const seen = new Set([fleet.toLowerCase()])
  const seenKeys = new Set<string>()
  for (const text of texts) {
    const node = readNode(text)
    if (!node.ok) return node
    const { name, keyName } = node.value
    if (seen.has(name)) return wrong(`the name ${name} is there twice`)
    if (seenKeys.has(keyName)) return wrong(`the key name ${keyName} is there twice`)
    seen.add(name)
    seenKeys.add(keyName)
    nodes.push(node.value)
  }
  return ok(nodes)
}

function formatNode({ name, keyName, server, port }: FleetNode): string {
  const key = keyName === firstKeyName(name) ? undefined : keyName
  return [name, server, ...(port === undefined && key === undefined ? [] : [port ?? '']), ...(key ? [key] : [])].join(
    ',',
  )
}

function readNode(text: string): Result<FleetNode, ProfileFailure> {
  const [nameText = '', server = '', portText = '', keyText, more] = text.split(',')
  const name = parseNodeName(nameText)
  if (!name.ok) return wrong(`the field “node”: ${name.failure.detail}`, name.failure.suggestion)
  if (more !== undefined) return wrong(`the field “node”: ${name.value} has too many parts`)
  if (!isHost(server)) return wrong(`the field “node”: ${name.value} has no name or address of a host`)
  const port = portText === '' ? ok(undefined) : parsePort(portText)
  if (!port.ok) return wrong(`the field “node”: ${name.value}: ${port.failure.detail}`)
  const keyName = keyText === undefined ? ok(firstKeyName(name.value)) : parseKeyName(keyText)
  if (!keyName.ok) return wrong(`the field “node”: ${name.value}: ${keyName.failure.detail}`)
  const usual = port.value === undefined ? {} : { port: port.value }
  return ok({ name: name.value, keyName: keyName.value, server, ...usual })
}

/** Stanzas of the rc file: that of the fleet first. */
export interface FleetStanza {
  readonly name: string
  readonly settings: readonly RcChange[]
}

export function fleetStanzas({ name, secret, settings, nodes }: FleetProfile): readonly FleetStanza[] {
  const fleet: readonly RcChange[] = [
    { name: 'FLEET', value: '' },
    { name: 'NODE_SECRET_BASE64', value: secret },
    ...settings,
  ]
  return [{ name, settings: fleet }, ...nodes.map((node) => nodeStanza(node, name, settings))]
}

/** @param shared settings of the fleet. */
export function nodeStanza(node: FleetNode, fleet: string, shared: readonly RcChange[]): FleetStanza {
  const { name, keyName } = node
  return {
    name,
    settings: [{ name: 'FLEET', value: fleet }, { name: 'NODE', value: keyName }, ...ownSettings(node, shared)],
  }
}

/** As text. Without a line end. */
export function fleetText(profile: FleetProfile): string {
  return fleetStanzas(profile).map(profileStanza).join('\n\n')
}

/** Each node as a profile of its own, with its keys: for readers that know no fleet. */
export function nodeProfiles({ secret, settings, nodes, made, until }: FleetProfile): readonly Profile[] {
  const read = parseNodeSecret(secret)
  if (!read.ok) throw new Error('a profile has a secret that can be used')
  return nodes.map((node) => {
    const { key, hmacKey } = nodeKeyTexts(deriveNodeKeys(read.value, node.keyName))
    const all: readonly RcChange[] = [
      ...ownSettings(node, settings),
      ...settings,
      { name: 'KEY_BASE64', value: key },
      { name: 'HMAC_KEY_BASE64', value: hmacKey },
    ]
    return { name: node.name, settings: all, made, ...(until !== undefined && { until }) }
  })
}

function ownSettings({ name, server, port }: FleetNode, shared: readonly RcChange[]): readonly RcChange[] {
  return [
    { name: 'SPA_SERVER', value: server },
    ...(port === undefined ? [] : [{ name: 'SPA_SERVER_PORT', value: `${port}` } as const]),
    ...(shared.some((it) => it.name === 'GATEWAY') ? [{ name: 'GATEWAY_TARGET', value: name } as const] : []),
  ]
}
