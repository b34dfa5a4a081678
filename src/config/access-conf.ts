/** `access.conf`, in fwknop's grammar: stanzas, each beginning with its SOURCE (docs/FROM-FWKNOP.md). */
import type { Stanza, StanzaId } from '../access/stanza.ts'
import { describeStanza, parseStanzaName, type StanzaName, sameNameKey } from '../access/stanza-name.ts'
import { type Failure, ok, type Refused, type Result, refuse, type SourceLocation } from '../result.ts'
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
  const names = new Names()
  for (const [i, block] of blocks.value.entries()) {
    // A stanza keeps its number also where one before it was left out: it is how logs and people call it.
    const id = (i + 1) as StanzaId
    const read = block.keyFile?.failure === undefined ? readStanza(id, block.lines, folded) : undefined
    const failure = read === undefined ? block.keyFile?.failure : read.ok ? undefined : read.failure
    const notice = failure === undefined ? undefined : leaveOut(id, block, failure)
    if (read?.ok) stanzas.push(read.value)
    else if (notice !== undefined) leftOut.push(notice)
    else if (read !== undefined) return read
    const taken = names.take(block)
    if (taken !== undefined) return taken
  }
  if (stanzas.length === 0)
    return refuse('CONFIG_MISSING_KEY', leftOut[0]?.text ?? 'there is no stanza, so that nobody could get in', {
      at: leftOut[0]?.at ?? { file, line: 1 },
      suggestion: 'SOURCE ANY',
    })
  return ok({ stanzas, notices: [...leftOut, ...folded.all()] })
}

/** @returns a notice if the failure is one of the file of keys; else it is the operator's own file that is wrong. */
function leaveOut(id: StanzaId, block: StanzaBlock, failure: Failure): Notice | undefined {
  const { keyFile } = block
  if (keyFile === undefined) return undefined
  const isItsOwn =
    failure === keyFile.failure || failure.at?.file === keyFile.path || failure.code === 'CONFIG_MISSING_KEY'
  if (!isItsOwn) return undefined
  const where = failure.at?.file === keyFile.path ? `${keyFile.path}:${failure.at.line}` : keyFile.shown
  const stanza = describeStanza(id, nameOf(block)?.name)
  return { level: 'warning', text: `${stanza} is left out: ${where}: ${failure.detail}`, at: keyFile.at }
}

/** The names of the stanzas so far, those that are left out included: they come back when their keys do. */
class Names {
  readonly #taken = new Map<string, { name: StanzaName; at: SourceLocation }>()

  /** @returns why the stanza may not have its name. */
  take(block: StanzaBlock): Refused<ConfigFailure> | undefined {
    const named = nameOf(block)
    if (named === undefined) return undefined
    const { name, at } = named
    const other = this.#taken.get(sameNameKey(name))
    if (other === undefined) {
      this.#taken.set(sameNameKey(name), named)
      return undefined
    }
    const same = other.name === name ? 'NAME is the same as' : 'NAME differs only in case from'
    const where = `the one in ${other.at.file}:${other.at.line}`
    return refuse('CONFIG_CONFLICT', `${same} ${where}: each stanza needs a NAME of its own`, { at })
  }
}

function nameOf({ lines }: StanzaBlock): { name: StanzaName; at: SourceLocation } | undefined {
  const line = lines.find(({ name }) => name === 'NAME')
  if (line === undefined) return undefined
  const parsed = parseStanzaName(line.value)
  return parsed.ok ? { name: parsed.value, at: line.at } : undefined
}
