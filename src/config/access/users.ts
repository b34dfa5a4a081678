/** The stanzas of access.conf as users: where each is in its file, and what “ghostport user” did to it. */
import type { Stanza, StanzaId } from '../../access/stanza.ts'
import { parseStanzaName, type StanzaName, sameNameKey } from '../../access/stanza-name.ts'
import { ok, type Result } from '../../result.ts'
import type { ConfigFiles } from '../reading/config-files.ts'
import type { ConfigFailure } from '../reading/notice.ts'
import { type AccessReading, readStanzaBlocks, type StanzaBlock } from './blocks.ts'
import { marksOf, type StanzaMarks, type StanzaPlace } from './edit-stanza.ts'

export interface User extends StanzaMarks {
  readonly id: StanzaId
  /** Absent: the stanza has no NAME, and no command can name it. */
  readonly name?: StanzaName
  readonly place: StanzaPlace
  /** Absent: something is wrong with its file of keys, and it is left out. */
  readonly stanza?: Stanza
  /** The stanza is one of the cluster. */
  readonly ofCluster?: true
}

/**
 * @param file access.conf. @param stanzas those that are in force.
 * @returns all stanzas, in their order.
 */
export function usersIn(
  file: string,
  files: ConfigFiles,
  stanzas: readonly Stanza[],
  reading: AccessReading = {},
): Result<readonly User[], ConfigFailure> {
  const blocks = readStanzaBlocks(file, files, reading)
  if (!blocks.ok) return blocks
  const byId = new Map(stanzas.map((stanza) => [stanza.id, stanza]))
  const lines = new Map<string, readonly string[]>()
  const users: User[] = []
  for (const [i, block] of blocks.value.entries()) {
    const id = (i + 1) as StanzaId
    const place = placeOf(block)
    let all = lines.get(place.file)
    if (all === undefined) {
      const text = files.read(place.file)
      if (!text.ok) return text
      all = text.value.split('\n').map((line) => line.replace(/\r$/, ''))
      lines.set(place.file, all)
    }
    const stanza = byId.get(id)
    const name = nameOf(block)
    users.push({
      id,
      ...(name !== undefined && { name }),
      place,
      ...(stanza !== undefined && { stanza }),
      ...(block.ofCluster && { ofCluster: block.ofCluster }),
      ...marksOf(all.slice(place.first - 1, place.last)),
    })
  }
  return ok(users)
}

/** Names that differ only in case are one name. */
export function findUser(users: readonly User[], name: StanzaName): User | undefined {
  return users.find((user) => user.name !== undefined && sameNameKey(user.name) === sameNameKey(name))
}

function placeOf({ lines, keyFile }: StanzaBlock): StanzaPlace {
  const [first] = lines
  if (first === undefined) throw new Error('a stanza without lines')
  const { file, line } = first.at
  const own = lines.flatMap(({ at }) => (at.file === file ? [at.line] : []))
  return { file, first: line, last: Math.max(...own, keyFile?.at.line ?? 0) }
}

function nameOf({ lines }: StanzaBlock): StanzaName | undefined {
  const named = parseStanzaName(lines.find(({ name }) => name === 'NAME')?.value ?? '')
  return named.ok ? named.value : undefined
}
