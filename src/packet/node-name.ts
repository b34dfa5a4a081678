/**
 * Names in a fleet of servers (docs/WIRE.md § 17). A node has a name, which people use and may change, and a key name,
 * from which the keys of its users are derived, and which never changes. Both have the same form, with one spelling for
 * each name: two spellings would be two sets of keys.
 */
import { type Failure, ok, type Result, refuse } from '../result.ts'
import type { Brand } from '../units.ts'

/** What people call a node. Made by {@link parseNodeName} only. Safe in a terminal, a log, a path and a file. */
export type NodeName = Brand<string, 'NodeName'>
/** From which keys are derived. Made by {@link parseKeyName} only. */
export type KeyName = Brand<string, 'KeyName'>

/** The same as that of a stanza of the rc file, so that a node can have a stanza of its name. */
export const LONGEST_NODE_NAME = 63
const FORM = /^[a-z0-9]+(?:[.-]+[a-z0-9]+)*$/

type Wrong = Failure<'VALUE_INVALID'>

/**
 * @param text such as `web-1` or `db.berlin`.
 * @returns the name; `VALUE_INVALID`, which does not quote the text, because it may be a misplaced key.
 */
export function parseNodeName(text: string): Result<NodeName, Wrong> {
  const judged = judge(text)
  return judged.ok ? ok(text as NodeName) : judged
}

/** @returns the key name; `VALUE_INVALID`, as {@link parseNodeName}. */
export function parseKeyName(text: string): Result<KeyName, Wrong> {
  const judged = judge(text)
  return judged.ok ? ok(text as KeyName) : judged
}

/** The key name that a node has at first. */
export function firstKeyName(name: NodeName): KeyName {
  return name as string as KeyName
}

function judge(text: string): Result<void, Wrong> {
  if (text.length > LONGEST_NODE_NAME)
    return refuse('VALUE_INVALID', `a name of a node has at most ${LONGEST_NODE_NAME} characters, not ${text.length}`)
  if (!FORM.test(text)) {
    const lower = text.toLowerCase()
    // A longer text may be a key in the wrong place, which no message tells.
    const more = /^[!-~]{1,12}$/.test(text) && FORM.test(lower) ? { suggestion: lower } : {}
    return refuse(
      'VALUE_INVALID',
      'a name of a node is made of the letters a to z, digits, and “-” or “.” between them',
      more,
    )
  }
  if (!/[a-z]/.test(text)) return refuse('VALUE_INVALID', 'a name of a node has at least one letter')
  if (/[a-z0-9]{32}/.test(text))
    return refuse('VALUE_INVALID', '32 or more letters and digits in a row look like a key: divide the name with “-”')
  if (text === 'default') return refuse('VALUE_INVALID', '“default” is the name of a stanza for all servers')
  return ok(undefined)
}
