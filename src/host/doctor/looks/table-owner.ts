/** Whether ghostport's table has an owner, so that no other program can flush it. */
import { lookAtOwnedTables, type OwnedTables } from '../../facts/kernel.ts'
import { type Known, known, notKnown } from '../../known.ts'
import type { Subject } from '../subject.ts'
import { lookAtLoaded } from './configuration.ts'

export interface TableOwner {
  readonly table: string
  /** Undefined: there is no such table. */
  readonly flags?: readonly string[]
  readonly possible: Known<OwnedTables>
}

export async function lookAtTableOwner(subject: Subject): Promise<Known<TableOwner>> {
  const loaded = await lookAtLoaded(subject)
  if (!loaded.known) return loaded
  const { firewall } = loaded.value.server
  if (firewall.kind !== 'nftables') return notKnown(`FIREWALL is ${firewall.kind}, which has no table of its own`)
  const { table } = firewall
  const said = await subject.looker.ask('rules of nft')
  if (!said.known) return said
  if (said.value.status !== 0) return notKnown(`the rules of nftables cannot be read: ${said.value.complaint}`)
  const flags = tableFlags(said.value.output, table)
  return known({ table, possible: await lookAtOwnedTables(subject.looker), ...(flags !== undefined && { flags }) })
}

/** @param listing what nft prints. @returns the flags of a table of family inet; undefined if it does not exist. */
export function tableFlags(listing: string, table: string): readonly string[] | undefined {
  const lines = listing.split('\n')
  const head = lines.findIndex((line) => /^table inet (\S+) \{/.exec(line)?.[1] === table)
  if (head < 0) return undefined
  const [, flags = ''] = /^\tflags (.*)$/.exec(lines[head + 1] ?? '') ?? []
  return flags.split(/[,\s]+/).filter(Boolean)
}
