/** `ghostport client export STANZA`: for fwknop, and other clients that know no fleet. */
import { ownSettings } from '../../config/client/fwknoprc-settings.ts'
import { profileStanza } from '../../config/client/profile.ts'
import { nearest } from '../../config/reading/nearest.ts'
import { refuse } from '../../result.ts'
import type { Outcome } from '../command.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { Given } from './options.ts'
import { readRcText } from './rc-text.ts'

export function exportStanza(word: string, given: Given, terminal: Terminal): Outcome {
  const read = readRcText(given['rc-file'])
  if (!read.ok) return read
  const { file, rc } = read.value
  const nodes = rc.nodesOf(word)
  if (nodes !== undefined)
    return refuse('CLI_USAGE', `[${word}] is a fleet: only the keys of a node are for other clients`, {
      suggestion: `ghostport client export ${nodes[0] ?? 'NODE'}`,
    })
  const name = rc.stanzas.find((it) => it.toLowerCase() === word.toLowerCase())
  if (name === undefined) {
    const suggestion = nearest(word, rc.stanzas)
    const more = suggestion === undefined ? {} : { suggestion }
    return refuse('CONFIG_MISSING_KEY', `${file} has no stanza [${word}]`, more)
  }
  // A stanza with a fault would come out with less than it says.
  const judged = rc.settings(name)
  if (!judged.ok) return judged
  const texts = rc.texts(name)
  const settings = texts.filter((it) => !ownSettings.has(it.name))
  const left = texts.filter((it) => ownSettings.has(it.name)).map((it) => it.name)
  const text = `${profileStanza({ name, settings })}\n`
  if (given.json > 0) terminal.printJson({ stanza: name, fwknoprc: text, leftOut: left })
  else {
    terminal.print(text.trimEnd().split('\n'))
    if (left.length > 0) terminal.note(`left out, because fwknop does not know it: ${left.join(', ')}`)
  }
  return 0
}
