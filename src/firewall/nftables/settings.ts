/** What the administrator chooses about our table. Everything that reaches a command is one of these types or a number. */
import type { ProtocolPort } from '../../packet/message.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { Brand } from '../../units.ts'

/** A name that nftables takes for a table, and that cannot be anything else. Made by {@link parseTableName}. */
export type TableName = Brand<string, 'TableName'>
/** One or more bits of a connection mark, 1–0xffffffff. Made by {@link parseConnectionMark}. */
export type ConnectionMark = Brand<number, 'ConnectionMark'>

/** NFT_TABLE: a letter, then letters, digits, `_` and `-`; at most 31 in all. */
export function parseTableName(text: string): Result<TableName, Failure<'VALUE_INVALID'>> {
  if (/^[A-Za-z][A-Za-z0-9_-]{0,30}$/.test(text)) return ok(text as TableName)
  return refuse('VALUE_INVALID', `“${text}” is not a name for a table: a letter, then letters, digits, “_”, “-”`)
}

/** CONNTRACK_MARK: decimal, or hexadecimal after `0x`. */
export function parseConnectionMark(text: string): Result<ConnectionMark, Failure<'VALUE_INVALID'>> {
  const value = /^(0x[0-9a-fA-F]{1,8}|[0-9]{1,10})$/.test(text) ? Number(text) : 0
  if (value >= 1 && value <= 0xffff_ffff) return ok(value as ConnectionMark)
  return refuse('VALUE_INVALID', `“${text}” is not a connection mark: 1 to 0xffffffff`)
}

export const DEFAULT_TABLE = 'ghostport' as TableName
export const DEFAULT_MARK = 0x20_0000 as ConnectionMark
/** As many elements as each set holds unless MAX_GRANTS says otherwise. */
export const DEFAULT_MAX_GRANTS = 65_535

/** How we live with the host's own rules (docs/OPERATING.md). */
export type CoexistenceMode =
  /** The host drops by default and has one rule that accepts what carries our mark. Fails closed. */
  | { readonly kind: 'mark' }
  /** The host lets the protected ports in; we drop what has no grant. Fails open where our table is removed. */
  | { readonly kind: 'gate'; readonly protectedPorts: readonly ProtocolPort[] }

export interface TableShape {
  readonly table: TableName
  readonly mode: CoexistenceMode
  readonly mark: ConnectionMark
  /** Size of each set: how many ports may be open at once in each address family. */
  readonly maxGrants: number
}
