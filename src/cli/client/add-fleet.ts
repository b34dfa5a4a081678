/** `ghostport client add` with the profile of a fleet: a stanza with the secret, and one for each node. */
import { hasStanza, putStanza, removeStanza } from '../../config/client/edit-fwknoprc.ts'
import { fleetStanzas, parseFleetProfile } from '../../config/client/fleet-profile.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { UnixSeconds } from '../../units.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { Given } from './options.ts'
import { readRcText, timesOf, writeRcText } from './rc-text.ts'

/** @returns the end of its keys. */
export function addFleet(line: string, given: Given, terminal: Terminal): Result<UnixSeconds | undefined, Failure> {
  const parsed = parseFleetProfile(line)
  if (!parsed.ok) return parsed
  const name = given.name ?? parsed.value.name
  if (parsed.value.nodes.some((node) => node.name === name.toLowerCase()))
    return refuse('VALUE_INVALID', `--name: “${name}” is the name of a node of this profile`)
  const profile = { ...parsed.value, name }
  const read = readRcText(given['rc-file'])
  if (!read.ok) return read
  const { file, text, rc } = read.value
  const stanzas = fleetStanzas(profile)
  const there = stanzas.filter((one) => hasStanza(text, one.name)).map((one) => one.name)
  const [first] = there
  if (first !== undefined && given.replace === 0)
    return refuse('CONFIG_CONFLICT', `${file} has the stanzas ${inBrackets(there)} already`, {
      suggestion: '--replace, which replaces their settings',
    })
  const names = new Set(stanzas.map((one) => one.name.toLowerCase()))
  // The new secret opens nothing there.
  const gone = (rc.nodesOf(name) ?? []).filter((node) => !names.has(node.toLowerCase()))
  const cleared = gone.reduce(removeStanza, text)
  const [head, ...nodes] = stanzas
  const begun = head === undefined ? cleared : putStanza(cleared, head.name, head.settings, timesOf(profile))
  const edited = nodes.reduce((all, one) => putStanza(all, one.name, one.settings), begun)
  const written = writeRcText(
    read.value,
    edited,
    nodes.map((one) => one.name),
  )
  if (!written.ok) return written
  const added = nodes.map((one) => one.name)
  if (given.json > 0) terminal.printJson({ file, fleet: name, nodes: added, replaced: there, removed: gone })
  else {
    terminal.note(`${there.length > 0 ? 'replaced' : 'added'} the fleet [${name}] in ${file}: ${inBrackets(added)}`)
    if (gone.length > 0) terminal.note(`removed ${inBrackets(gone)}: the new profile is not for these nodes`)
    terminal.print(`ghostport knock ${added[0] ?? name} --wait`)
  }
  return ok(profile.until)
}

const MOST_SHOWN = 12

function inBrackets(names: readonly string[]): string {
  const shown = names.slice(0, MOST_SHOWN).map((name) => `[${name}]`)
  const more = names.length - shown.length
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ')
}
