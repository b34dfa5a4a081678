/**
 * Follows the records of the cluster, and hands them to the warden as they are: sealed. Looked at here are their names,
 * form and size.
 */
import { asAscii } from '../../bytes/text.ts'
import {
  parseRecordName,
  type RecordKind,
  readKind,
  readSealed,
  recordsPrefix,
  SEAL_BYTES,
  type SealedRecord,
} from '../../cluster-record/record-name.ts'
import type { ClusterName } from '../../config/server/cluster-settings.ts'
import type { Etcd } from '../../etcd/etcd.ts'
import { type KeyChange, PrefixWatch, type WatchSection } from '../../etcd/watch.ts'
import { type FromCluster, MOST_CHANGES, MOST_SEALED_IN_MESSAGE, type RecordChange } from '../link/cluster-protocol.ts'

/** What has the name of a roster, and not the form of a record: nobody can open it, and its version is taken. */
const NO_RECORD = Buffer.alloc(SEAL_BYTES).toString('base64') as SealedRecord

/**
 * What is listed, in this order. A revocation comes before its grant, which then never opens. All together are less
 * than the warden takes at once. There may be more in etcd: then a node knows less of what others opened, and opens
 * fewer of the earlier grants. It has all users, and hears of each change.
 */
const SECTIONS: readonly (WatchSection & { readonly name: `${RecordKind}/` })[] = [
  { name: 'users/', most: 50_000, isWhole: true },
  { name: 'revocation/', most: 40_000 },
  { name: 'node/', most: 10_000 },
  { name: 'opened/', most: 50_000 },
  { name: 'grant/', most: 40_000, unlessShort: 'revocation/' },
]
/** Each change of users is a new roster. */
const ROSTERS = 'users/roster/'

/** @param signal ends it; absent: it goes on until the process ends. */
export function followRecords(
  etcd: Etcd,
  cluster: ClusterName,
  send: (message: FromCluster) => void,
  signal: AbortSignal = new AbortController().signal,
): void {
  const state = (state: 'listing' | 'following'): void => send({ type: 'records', state })
  const watch = new PrefixWatch({
    ...{ etcd, prefix: recordsPrefix(cluster), sections: SECTIONS, landmarks: ROSTERS },
    events: {
      onListing: () => state('listing'),
      onListed: (short) => {
        const kinds = short.flatMap((name) => readKind(name.slice(0, -1)) ?? [])
        send({ type: 'records', state: 'listed', ...(kinds.length > 0 && { short: kinds }) })
      },
      onFollowing: () => state('following'),
      onCut: (why) => send({ type: 'records', state: 'cut', why: shown(why) }),
      onChanges: (changes) => {
        for (const some of inMessages(changes.flatMap(changeOf))) send({ type: 'changes', changes: some })
      },
    },
  })
  void watch.run(signal)
}

/** What is no record is passed over. */
function changeOf({ key, value }: KeyChange): readonly RecordChange[] {
  const name = parseRecordName(key)
  if (name === undefined) return []
  if (value === undefined) return [name]
  const sealed = readSealed(value)
  if (sealed !== undefined) return [{ ...name, sealed }]
  return name.kind === 'users' && name.id.startsWith('roster/') ? [{ ...name, sealed: NO_RECORD }] : []
}

function inMessages(changes: readonly RecordChange[]): readonly (readonly RecordChange[])[] {
  const messages: RecordChange[][] = []
  let length = 0
  for (const change of changes) {
    const size = 'sealed' in change ? change.sealed.length : 0
    const last = messages.at(-1)
    if (last === undefined || last.length === MOST_CHANGES || length + size > MOST_SEALED_IN_MESSAGE) {
      messages.push([change])
      length = size
    } else {
      last.push(change)
      length += size
    }
  }
  return messages
}

/** For the warden, which takes printable ASCII only. */
export function shown(why: string): string {
  return asAscii(why).slice(0, 300)
}
