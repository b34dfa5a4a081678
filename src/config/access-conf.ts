/** `access.conf`, in fwknop's grammar: stanzas, each beginning with its SOURCE (docs/FROM-FWKNOP.md). */
import type { Stanza, StanzaId } from '../access/stanza.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { readStanzaBlocks, type StanzaBlock } from './access-blocks.ts'
import type { ConfigFailure } from './config-failure.ts'
import type { ConfigFiles } from './config-files.ts'
import type { Notice } from './notice.ts'
import { readStanza } from './stanza-assembly.ts'
import { StanzaNotices } from './stanza-notices.ts'

/**
 * @param file the path of access.conf; `%include` leads from it to others.
 * @returns the stanzas in file order, and what the operator should know about them; or the first thing that is wrong, with its
 * file and line. Trouble in a file of `%include_keys` leaves out its stanza, with a warning, as in fwknop.
 */
export function parseAccessConf(
  file: string,
  files: ConfigFiles,
): Result<{ readonly stanzas: readonly Stanza[]; readonly notices: readonly Notice[] }, ConfigFailure> {
  const blocks = readStanzaBlocks(file, files)
  if (!blocks.ok) return blocks
  const stanzas: Stanza[] = []
  const folded = new StanzaNotices()
  const leftOut: Notice[] = []
  for (const [i, block] of blocks.value.entries()) {
    // A stanza keeps its number also where one before it was left out: it is how logs and people call it.
    const read = block.keyFile?.failure === undefined ? readStanza((i + 1) as StanzaId, block.lines, folded) : undefined
    if (read?.ok) {
      stanzas.push(read.value)
      continue
    }
    const failure = read?.failure ?? block.keyFile?.failure
    const notice = failure === undefined ? undefined : leaveOut(block, failure)
    if (notice !== undefined) leftOut.push(notice)
    else if (read !== undefined) return read
  }
  if (stanzas.length === 0)
    return refuse('CONFIG_MISSING_KEY', leftOut[0]?.text ?? 'there is no stanza, so that nobody could get in', {
      at: leftOut[0]?.at ?? { file, line: 1 },
      suggestion: 'SOURCE ANY',
    })
  return ok({ stanzas, notices: [...leftOut, ...folded.all()] })
}

/** @returns a notice if the failure is one of the file of keys; else it is the operator's own file that is wrong. */
function leaveOut({ keyFile }: StanzaBlock, failure: Failure): Notice | undefined {
  if (keyFile === undefined) return undefined
  const isItsOwn =
    failure === keyFile.failure || failure.at?.file === keyFile.path || failure.code === 'CONFIG_MISSING_KEY'
  if (!isItsOwn) return undefined
  const where = failure.at?.file === keyFile.path ? `${keyFile.path}:${failure.at.line}` : keyFile.shown
  return { level: 'warning', text: `the stanza is left out: ${where}: ${failure.detail}`, at: keyFile.at }
}
