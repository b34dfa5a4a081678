/** The header of each answer of etcd: which cluster it is, and how many changes it has made so far. */
import { mapped, record, text } from '../json-reader.ts'

export interface EtcdPast {
  /** The id of the cluster: 64 bits, in decimal. */
  readonly cluster: string
  /** The number of the last change. It only grows, unless somebody restores a backup. */
  readonly revision: bigint
}

/** 64 bits, which etcd writes as text. */
export const number64 = mapped(text({ max: 20 }), (read) => (/^[0-9]{1,20}$/.test(read) ? BigInt(read) : undefined))
const header = record({ cluster_id: number64, revision: number64 }, { member_id: number64, raft_term: number64 })

/** @returns undefined for what is no answer of etcd. */
export function readPast(value: unknown): EtcdPast | undefined {
  const read = header((value as { readonly header?: unknown } | null)?.header)
  return read && { cluster: `${read.cluster_id}`, revision: read.revision }
}

/** Whether a cluster that was at `before` may be at `now`: it is the same, and has forgotten nothing. */
export function goesOn(before: EtcdPast, now: EtcdPast): boolean {
  return before.cluster === now.cluster && before.revision <= now.revision
}
