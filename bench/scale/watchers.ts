/**
 * Many nodes of a cluster in one process that follow its records, as a real one does (src/etcd/watch.ts), and nothing
 * else of a server. Arguments: how many, records a second, seconds, members. Prints one line of JSON.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { monotonic } from '../../src/clock.ts'
import { openEtcd } from '../../src/etcd/etcd.ts'
import { RecordWrites } from '../../src/etcd/record-writes.ts'
import { PrefixWatch } from '../../src/etcd/watch.ts'
import { milliseconds, port, type Seconds } from '../../src/units.ts'
import { summarise } from '../statistics.ts'

/** What the simulation prints. Times in milliseconds, from the request to write a record until a node hears of it. */
export interface Heard {
  readonly written: number
  readonly heard: number
  readonly median: number
  readonly p95: number
}

const LIMIT = milliseconds(3000)
const LIFE = 60 as Seconds
const PREFIX = 'ghostport/scale/records/'
/** Bytes of a sealed grant. */
const SEALED = 400

const [count = 1, rate = 1, length = 1] = process.argv.slice(2, 5).map(Number)
const members = (process.argv[5] ?? '').split(',').map((host) => ({ host, port: port(2379) }))
const clientFrom = (from: number) => openEtcd({ members: [...members.slice(from), ...members.slice(0, from)] })

const writtenAt = new Map<string, number>()
const times: number[] = []
let following = 0
for (let i = 0; i < count; i++) {
  const events = {
    ...{ onListing: () => {}, onListed: () => {}, onCut: () => {} },
    onFollowing: () => following++,
    onChanges: (changes: readonly { readonly key: string }[]) => {
      for (const { key } of changes) {
        const began = writtenAt.get(key)
        if (began !== undefined) times.push(performance.now() - began)
      }
    },
  }
  const sections = [{ name: '', most: 50_000 }]
  const etcd = clientFrom(i % members.length)
  const watch = new PrefixWatch({ etcd, prefix: PREFIX, sections, landmarks: 'users/roster/', events })
  void watch.run(new AbortController().signal)
}
for (let i = 0; following < count && i < 600; i++) await delay(50)

const clocks = { monotonic, wall: () => milliseconds(Date.now()) }
const writes = new RecordWrites(clientFrom(0), clocks)
const value = randomBytes(SEALED).toString('base64')
let written = 0
for (let i = 0; i < rate * length; i++) {
  const name = `opened/${i}`
  writtenAt.set(name, performance.now())
  void writes.put({ key: `${PREFIX}${name}`, value, life: LIFE }, LIMIT).then((why) => {
    if (why === undefined) written++
  })
  await delay(1000 / rate)
}
await delay(2000)
const summary = summarise(times)
const heard: Heard = {
  ...{ written, heard: times.length },
  ...{ median: summary?.median ?? Number.NaN, p95: summary?.p95 ?? Number.NaN },
}
process.stdout.write(`${JSON.stringify(heard)}\n`, () => process.exit(0))
