/** When the keys of a stanza were made, if “ghostport client add” wrote it: the server may have others since. */
import { rcPath } from '../../client/rc-stanza.ts'
import { madeIn } from '../../config/client/edit-fwknoprc.ts'
import { readUserFile } from '../../system/user-file.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** @param rcFile that the user named. Without it, the file of the user. */
export function noteAgeOfKeys(rcFile: string | undefined, stanza: string, terminal: Terminal): void {
  const where = rcPath(rcFile === undefined ? {} : { 'rc-file': rcFile })
  const read = 'none' in where ? undefined : readUserFile(where.path)
  const made = read?.ok ? madeIn(read.value?.text ?? '', stanza) : undefined
  if (made === undefined) return
  terminal.note(
    `  - The keys of [${stanza}] are of ${made}. If the server gave out new ones since, the old ones may have ended: ask its administrator for a new profile, and run “ghostport client add --replace”.`,
  )
}
