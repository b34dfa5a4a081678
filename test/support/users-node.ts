/** The users of a cluster at one node, with the real parts, without the processes around them. */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { StanzaName } from '../../src/access/stanza-name.ts'
import { monotonic } from '../../src/clock.ts'
import { recordKey } from '../../src/cluster-record/record-name.ts'
import { type ClusterSecret, recordSealer } from '../../src/cluster-record/seal.ts'
import type { ClusterName } from '../../src/config/server/cluster-settings.ts'
import { followRecords } from '../../src/daemon/cluster/follow-records.ts'
import { parseFromCluster, parseToCluster } from '../../src/daemon/link/cluster-protocol.ts'
import { Records } from '../../src/daemon/warden/cluster-process/records.ts'
import { type ApplyCopy, ClusterUsers } from '../../src/daemon/warden/cluster-users/cluster-users.ts'
import { CopyFile } from '../../src/daemon/warden/cluster-users/copy-file.ts'
import type { EndUsers } from '../../src/daemon/warden/cluster-users/endings.ts'
import { openEtcd } from '../../src/etcd/etcd.ts'
import { RecordWrites } from '../../src/etcd/record-writes.ts'
import { MemoryLog } from '../../src/log.ts'
import { milliseconds, type Port, seconds } from '../../src/units.ts'

export type Message = Parameters<Records['take']>[0]

export interface UsersNodeOptions {
  readonly secret: ClusterSecret
  readonly port: Port
  /** Of its own: what it keeps is there. */
  readonly folder: string
  readonly cluster?: string
  readonly apply?: ApplyCopy
  readonly end?: EndUsers
  /** Sees each message for the warden before it does. @returns those that are passed on. */
  readonly between?: (message: Message) => readonly Message[]
}

export class UsersNode {
  readonly name: string
  readonly log = new MemoryLog()
  readonly records: Records
  readonly users: ClusterUsers
  /** Each copy that was put into force, and whose grants ended with it. */
  readonly applied: [...Parameters<ApplyCopy>, readonly StanzaName[]][] = []
  readonly #path: string
  readonly #end = new AbortController()
  readonly #etcd: ReturnType<typeof openEtcd>

  constructor(name: string, { secret, port, folder, cluster = 'front', apply, end, between }: UsersNodeOptions) {
    this.name = name
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    this.#path = join(folder, `${name}-copy`)
    const named = cluster as ClusterName
    const limit = milliseconds(3000)
    this.records = new Records({ sealer: recordSealer(named, secret), log: this.log, limit })
    const copy = new CopyFile(named, this.#path, `${this.#path}-state`)
    this.users = new ClusterUsers({
      ...{ records: this.records, copy, node: name, copyAge: seconds(86_400), log: this.log, again: milliseconds(500) },
    })
    this.#etcd = openEtcd({ members: [{ host: '127.0.0.1', port }] })
    const clocks = { monotonic, wall: () => milliseconds(Date.now()) }
    const writes = new RecordWrites(this.#etcd, clocks)
    this.records.connect((sent) => {
      const message = parseToCluster(JSON.parse(JSON.stringify(sent)))
      if (message?.type !== 'put' && message?.type !== 'remove') throw new Error('no write')
      const key = recordKey(named, message)
      const { number } = message
      const written =
        message.type === 'remove'
          ? writes.remove(key, limit)
          : message.isNew
            ? writes.create({ key, value: message.sealed }, limit)
            : writes.put({ key, value: message.sealed }, limit)
      void written.then((why) => this.records.take({ type: 'written', number, ...(why !== undefined && { why }) }))
    })
    followRecords(
      this.#etcd,
      named,
      (sent) => {
        const message = parseFromCluster(JSON.parse(JSON.stringify(sent)))
        if (message?.type !== 'changes' && message?.type !== 'records') throw new Error('no record')
        if (this.#end.signal.aborted) return
        for (const one of between?.(message) ?? [message]) this.records.take(one)
      },
      this.#end.signal,
    )
    this.users.begin(
      async (from) => {
        this.applied.push([from, []])
        return await apply?.(from)
      },
      async (by, ended) => {
        const last = this.applied.at(-1)
        if (last !== undefined) this.applied[this.applied.length - 1] = [last[0], ended]
        return (await end?.(by, ended)) ?? {}
      },
    )
  }

  get copy(): string {
    return readFileSync(this.#path, 'utf8')
  }

  get version(): number {
    return this.users.status(0).version
  }

  async until(what: string, is: () => boolean, patience = 30_000): Promise<void> {
    const deadline = performance.now() + patience
    while (!is()) {
      if (performance.now() > deadline)
        throw new Error(`${this.name}: ${what}: ${JSON.stringify([this.users.status(0), this.log.records])}`)
      await delay(20)
    }
  }

  async inSync(version = 0): Promise<void> {
    await this.until('in sync', () => this.users.status(0).inSync && this.version >= version)
  }

  /** It asks and follows no more. */
  close(): void {
    this.#end.abort()
    this.users.close()
    this.#etcd.close()
  }
}
