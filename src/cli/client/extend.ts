/**
 * `ghostport client extend NODE`: one more server for the secret of this device. The secret stays here: a bundle with
 * the keys for the new node is for its administrator.
 */
import { rmSync } from 'node:fs'
import { parseStanzaName } from '../../access/stanza-name.ts'
import { systemClock } from '../../clock.ts'
import { formatBundle } from '../../config/access/node-bundle.ts'
import { hasStanza, keyTimes, putStanza, type RcChange, writtenSettings } from '../../config/client/edit-fwknoprc.ts'
import { type FleetNode, nodeStanza } from '../../config/client/fleet-profile.ts'
import { isClientSetting } from '../../config/client/fwknoprc-settings.ts'
import { nearest } from '../../config/reading/nearest.ts'
import { deriveNodeKeys, nodeKeyTexts, parseNodeSecret } from '../../packet/node-keys.ts'
import { firstKeyName, parseKeyName, parseNodeName } from '../../packet/node-name.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { createUserFile } from '../../system/replace-user-file.ts'
import { unixSeconds } from '../../units.ts'
import type { Outcome } from '../command.ts'
import { parseServer } from '../node/server-text.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { Given } from './options.ts'
import { type RcText, readRcText, writeRcText } from './rc-text.ts'

export function extendFleet(nameText: string, given: Given, terminal: Terminal): Outcome {
  const name = parseNodeName(nameText)
  if (!name.ok) return name
  const keyName = given['key-name'] === undefined ? ok(firstKeyName(name.value)) : parseKeyName(given['key-name'])
  if (!keyName.ok) return refuse('VALUE_INVALID', `--key-name: ${keyName.failure.detail}`)
  const at = parseServer(given.server ?? name.value)
  if (!at.ok) return at
  const read = readRcText(given['rc-file'])
  if (!read.ok) return read
  const node: FleetNode = { name: name.value, keyName: keyName.value, ...at.value }
  const fleet = chooseFleet(read.value, given.fleet)
  if (!fleet.ok) return fleet
  const free = judgeFree(read.value, fleet.value, node)
  if (!free.ok) return free
  const user = parseStanzaName(given.user ?? fleet.value)
  if (!user.ok)
    return refuse(
      'VALUE_INVALID',
      `${given.user === undefined ? `the name of the fleet [${fleet.value}] is no name of a user` : '--user'}: ${user.failure.detail}`,
      {
        suggestion: '--user NAME',
      },
    )
  const { text, file } = read.value
  const settings = writtenSettings(text, fleet.value)
  const secret = parseNodeSecret(settings.find((one) => one.name === 'NODE_SECRET_BASE64')?.value ?? '')
  if (!secret.ok) return secret
  const madeText = keyTimes(text, fleet.value)?.made
  const made = madeText === undefined ? Number.NaN : Math.floor(Date.parse(madeText) / 1000)
  const bundle = formatBundle({
    ...{ node: node.keyName, made: made > 0 ? unixSeconds(made) : systemClock.now(), user: user.value, settings: [] },
    ...nodeKeyTexts(deriveNodeKeys(secret.value, node.keyName)),
  })
  const bundleFile = given['bundle-file'] ?? `${user.value}.${node.name}.bundle`
  const created = createUserFile(bundleFile, bundle)
  if (!created.ok) return created
  const shared = settings.flatMap((one): RcChange[] =>
    isClientSetting(one.name) ? [{ name: one.name, value: one.value }] : [],
  )
  const stanza = nodeStanza(node, fleet.value, shared)
  const written = writeRcText(read.value, putStanza(text, stanza.name, stanza.settings), [stanza.name])
  if (!written.ok) {
    rmSync(bundleFile, { force: true })
    return written
  }
  if (given.json > 0) terminal.printJson({ file, stanza: stanza.name, fleet: fleet.value, bundle: bundleFile })
  else {
    terminal.note([
      `added [${stanza.name}] to the fleet [${fleet.value}] in ${file}`,
      `wrote ${bundleFile}: it has the keys for ${node.name} alone. Give it to the administrator of that host, and delete it`,
    ])
    terminal.print(`ghostport knock ${stanza.name} --wait`)
  }
  return 0
}

/** The fleet of this name, or the only one. */
function chooseFleet({ rc, file }: RcText, named: string | undefined): Result<string, Failure> {
  const fleets = [...new Set(rc.stanzas)].filter((name) => rc.nodesOf(name) !== undefined)
  if (named !== undefined) {
    const found = fleets.find((name) => name.toLowerCase() === named.toLowerCase())
    if (found !== undefined) return ok(found)
    const suggestion = nearest(named, fleets)
    return refuse(
      'CONFIG_MISSING_KEY',
      `${file} has no fleet [${named}]`,
      suggestion === undefined ? {} : { suggestion },
    )
  }
  const [only, another] = fleets
  if (only === undefined)
    return refuse('CONFIG_MISSING_KEY', `${file} has no fleet: its profile is from “ghostport user add --nodes”`)
  if (another !== undefined)
    return refuse('CLI_USAGE', `${file} has ${fleets.length} fleets`, { suggestion: `--fleet ${only}` })
  return ok(only)
}

/** The same keys for two servers would be one packet for both. */
function judgeFree({ rc, text, file }: RcText, fleet: string, { name, keyName }: FleetNode): Result<void, Failure> {
  if (hasStanza(text, name)) return refuse('CONFIG_CONFLICT', `${file} has a stanza [${name}] already`)
  const same = rc
    .nodesOf(fleet)
    ?.find((node) => writtenSettings(text, node).some((one) => one.name === 'NODE' && one.value === keyName))
  return same === undefined
    ? ok(undefined)
    : refuse('CONFIG_CONFLICT', `[${same}] has the key name ${keyName} already: a packet for one would open the other`)
}
