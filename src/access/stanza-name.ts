/**
 * NAME: what people call a stanza (ghostport's own). A stanza's number changes when an earlier stanza is removed; its
 * name does not. So logs, status and messages use the name. A stanza without a name is called by its number.
 */
import { type Failure, ok, type Result, refuse } from '../result.ts'
import type { Brand } from '../units.ts'

/** Made by {@link parseStanzaName} only. Safe in a terminal, a log, a settings file and an nftables comment. */
export type StanzaName = Brand<string, 'StanzaName'>

const LONGEST = 63
const ALLOWED = /^[A-Za-z0-9._@-]+$/

/** @returns the name; `CONFIG_INVALID_VALUE`, which does not quote the text, because it may be a misplaced key. */
export function parseStanzaName(text: string): Result<StanzaName, Failure<'CONFIG_INVALID_VALUE'>> {
  if (!ALLOWED.test(text))
    return refuse('CONFIG_INVALID_VALUE', 'a name is made of the letters a to z, digits, and . _ - @, without blanks')
  if (text.length > LONGEST)
    return refuse('CONFIG_INVALID_VALUE', `a name has at most ${LONGEST} characters, not ${text.length}`)
  if (!/^[A-Za-z0-9]/.test(text)) return refuse('CONFIG_INVALID_VALUE', 'a name begins with a letter or a digit')
  // Needs a letter: “stanza 3” is always the third of the file, and never a stanza with the name 3.
  if (!/[A-Za-z]/.test(text)) return refuse('CONFIG_INVALID_VALUE', 'a name has at least one letter')
  if (/^[A-Za-z0-9]{32,}$/.test(text))
    return refuse(
      'CONFIG_INVALID_VALUE',
      '32 or more letters and digits in a row look like a key: divide the name with . _ - @',
    )
  return ok(text as StanzaName)
}

/** Names that differ only in upper and lower case are the same name. */
export function sameNameKey(name: StanzaName): string {
  return name.toLowerCase()
}

/** The keys ({@link sameNameKey}) of the names of a node's own stanzas. A stanza of the cluster gives way to them. */
export function ownNames(
  stanzas: readonly { readonly name?: StanzaName | undefined; readonly ofCluster?: true }[],
): ReadonlySet<string> {
  return new Set(stanzas.flatMap(({ name, ofCluster }) => (name === undefined || ofCluster ? [] : [sameNameKey(name)])))
}

/** `stanza alice`, or `stanza 3` if it has no name. @param number its place among all stanzas, from 1. */
export function describeStanza(number: number, name?: string): string {
  return `stanza ${name ?? number}`
}
