/** `access.conf`, in fwknop's grammar: stanzas, each beginning with its SOURCE (docs/FROM-FWKNOP.md). */
import type { Stanza, StanzaId } from '../../access/stanza.ts'
import { describeStanza, parseStanzaName, type StanzaName, sameNameKey } from '../../access/stanza-name.ts'
import { type Failure, ok, type Refused, type Result, refuse, type SourceLocation } from '../../result.ts'
import type { ConfigFiles } from '../reading/config-files.ts'
import type { ConfigFailure, Notice } from '../reading/notice.ts'
import { type AccessReading, readStanzaBlocks, type StanzaBlock } from './blocks.ts'
import { withWordLimit } from './fwknopd-dialect.ts'
import { GNUPG_DEFAULTS, type GnupgDefaults } from './gnupg-keys.ts'
import { readStanza } from './stanza-defaults-and-conflicts.ts'
import { StanzaNotices } from './stanza-notices.ts'

/**
 * @param file the path of access.conf; `%include` leads from it to others.
 * @param gnupg what fwknopd.conf says, for stanzas that do not.
 * @returns the stanzas in file order, and what the operator should know about them; or the first thing that is wrong,
 * with its file and line. Trouble in a file of `%include_keys` leaves out its stanza, with a warning, as in fwknop.
 */
export function parseAccessConf(
  file: string,
  files: ConfigFiles,
  gnupg: GnupgDefaults = GNUPG_DEFAULTS,
  reading: AccessReading = {},
): Result<{ readonly stanzas: readonly Stanza[]; readonly notices: readonly Notice[] }, ConfigFailure> {
  const blocks = readStanzaBlocks(file, files, reading)
  if (!blocks.ok) return blocks
  const stanzas: Stanza[] = []
  const folded = new StanzaNotices()
  const leftOut: LeftOut[] = []
  const names = new Names()
  for (const [i, block] of blocks.value.entries()) {
    // A stanza keeps its number also where one before it was left out: it is how logs and people call it.
    const id = (i + 1) as StanzaId
    if (block.fault !== undefined) {
      leftOut.push(faulty(id, block, block.fault))
      continue
    }
    const read = block.keyFile?.failure === undefined ? readStanza(id, block.lines, folded, gnupg) : undefined
    const failure = read === undefined ? block.keyFile?.failure : read.ok ? undefined : read.failure
    const left = failure === undefined ? undefined : leaveOut(id, block, failure)
    if (read?.ok) stanzas.push(asRead(read.value, block, reading))
    else if (left !== undefined) leftOut.push(left)
    else if (read !== undefined) return read
    const taken = names.take(block)
    if (taken !== undefined) return taken
  }
  if (stanzas.length > 0) return ok({ stanzas, notices: [...leftOut.map(({ notice }) => notice), ...folded.all()] })
  const [first] = leftOut
  // They come when etcd answers, or the administrators of the cluster mend them.
  if (reading.cluster !== undefined && blocks.value.every(({ ofCluster }) => ofCluster))
    return ok({ stanzas, notices: [...leftOut.map(({ notice }) => notice), NOBODY_YET] })
  if (first === undefined)
    return refuse('CONFIG_MISSING_KEY', 'there is no stanza, so nobody could get in', {
      at: { file: reading.folder ?? file, line: 1 },
      suggestion: 'SOURCE ANY',
    })
  const { why, suggestion, at } = first
  const isFaulty = blocks.value.some(({ fault }) => fault !== undefined)
  const which = isFaulty
    ? 'every stanza is left out; the first, because of this line'
    : leftOut.length === 1
      ? 'the only stanza has no usable key'
      : 'no stanza has a usable key; of the first'
  return refuse('CONFIG_MISSING_KEY', `${which}: ${why}`, {
    at,
    ...(suggestion === undefined ? {} : { suggestion }),
  })
}

const NOBODY_YET: Notice = {
  level: 'warning',
  text: 'CLUSTER_USERS: there is no stanza, so nobody can get in. A stanza of this node’s own access.conf counts also without etcd',
}

/** The same stanza, with what the way of reading adds to it. */
function asRead(stanza: Stanza, { ofCluster }: StanzaBlock, { forgiving, cluster }: AccessReading): Stanza {
  const read = forgiving === undefined ? stanza : withWordLimit(stanza)
  if (!ofCluster) return read
  return { ...read, ofCluster, ...(cluster?.mayNat !== true && { natTargets: [] }) }
}

interface LeftOut {
  readonly notice: Notice
  readonly why: string
  readonly suggestion?: string
  readonly at: SourceLocation
}

/** A stanza of the cluster. */
function unusable(id: StanzaId, block: StanzaBlock, { detail, at }: Failure): LeftOut {
  const where = at ?? { file: '', line: 0 }
  const text = `${describeStanza(id, nameOf(block)?.name)} of the cluster is left out at this node: ${detail}`
  return { notice: { level: 'warning', text, at: where }, why: detail, at: where }
}

/** A stanza of which a line that restricts it is not understood. */
function faulty(id: StanzaId, block: StanzaBlock, failure: Failure): LeftOut {
  const { detail, at, suggestion } = failure
  if (block.ofCluster) return unusable(id, block, failure)
  const where = at ?? { file: '', line: 0 }
  const stanza = describeStanza(id, nameOf(block)?.name)
  const cure = suggestion === undefined ? '' : ` — perhaps: ${suggestion}`
  const text = `${stanza} is left out, so that it does not allow more than it should: ${detail}${cure}`
  const notice = { level: 'warning', text, at: where } as const
  return { notice, why: detail, at: where, ...(suggestion === undefined ? {} : { suggestion }) }
}

/** @returns undefined where it is not the file of keys that is wrong, but the operator's own file. */
function leaveOut(id: StanzaId, block: StanzaBlock, failure: Failure): LeftOut | undefined {
  const { keyFile, ofCluster } = block
  if (ofCluster) return unusable(id, block, failure)
  if (keyFile === undefined) return undefined
  const isItsOwn =
    failure === keyFile.failure || failure.at?.file === keyFile.path || failure.code === 'CONFIG_MISSING_KEY'
  if (!isItsOwn) return undefined
  const { at } = keyFile
  const stanza = describeStanza(id, nameOf(block)?.name)
  const { suggestion } = failure
  const where =
    failure.at?.file === keyFile.path
      ? `${keyFile.path}:${failure.at.line}: `
      : failure === keyFile.failure
        ? '' // it begins with the path
        : `${keyFile.shown}: `
  const why = `${where}${failure.detail}`
  const cure = suggestion === undefined ? '' : ` — perhaps: ${suggestion}`
  const notice = { level: 'warning', text: `${stanza} is left out: ${why}${cure}`, at } as const
  return { notice, why, at, ...(suggestion === undefined ? {} : { suggestion }) }
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
