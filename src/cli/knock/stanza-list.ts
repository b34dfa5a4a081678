/** `fwknop --stanza-list`. */
import { parseFwknoprc } from '../../config/client/parse-fwknoprc.ts'
import { readUserFile, refuseMissing } from '../../system/user-file.ts'
import type { Outcome } from '../command.ts'
import type { Terminal } from '../terminal/terminal.ts'

export function listStanzas(file: string | undefined, terminal: Terminal): Outcome {
  if (file === undefined) return 0
  const read = readUserFile(file)
  if (!read.ok) return read
  if (read.value === undefined) return refuseMissing(file)
  const rc = parseFwknoprc(file, read.value.text)
  if (!rc.ok) return rc
  const line = (name: string): string => {
    const nodes = rc.value.nodesOf(name)
    return nodes === undefined ? ` - ${name}` : ` - ${name} (a fleet: ${nodes.join(', ') || 'no nodes'})`
  }
  terminal.print([`The following stanzas are configured in ${file} :`, ...rc.value.stanzas.map(line)])
  return 0
}
