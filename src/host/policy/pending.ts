/**
 * What is known of a policy that is in force and not yet confirmed: which TCP connections are older than it. A session
 * that runs over one of them proves nothing, since it lives on in any case.
 */

import { jsonLine } from '../../bytes/text.ts'
import type { Connection } from '../../firewall/nftables/connections.ts'
import { integer, list, type Reader, record, text } from '../../json-reader.ts'
import type { UnixSeconds } from '../../units.ts'

export interface Pending {
  /** When it is taken back. */
  readonly end: UnixSeconds
  /** Each as {@link connectionKey} writes it. */
  readonly before: readonly string[]
}

/** More connections than this host can have. */
const MOST = 1_000_000
/** `ADDRESS PORT PORT` */
const LONGEST_KEY = 64

export function connectionKey({ peer, peerPort, port }: Connection): string {
  return `${peer} ${peerPort} ${port}`
}

export function writePending({ end, before }: Pending): string {
  return jsonLine({ version: 1, end, before })
}

const version: Reader<1> = (value) => (value === 1 ? 1 : undefined)
const reader = record(
  {
    version,
    end: integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    before: list(text({ max: LONGEST_KEY }), { min: 0, max: MOST }),
  },
  {},
)

/** @returns undefined for anything but what {@link writePending} wrote. */
export function parsePending(written: string): Pending | undefined {
  try {
    const read = reader(JSON.parse(written))
    return read === undefined ? undefined : { end: read.end as UnixSeconds, before: read.before }
  } catch {
    return undefined
  }
}
