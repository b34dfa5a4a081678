/** One real etcd on a test host. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Host, Program } from './netns.ts'

/** etcd then finds a new leader within a second. */
const ELECTION = ['--heartbeat-interval', '100', '--election-timeout', '1000']

/** A host on the switch of a lab. */
export interface LabHost {
  readonly host: Host
  readonly address: string
  /** Its cable at the switch. */
  readonly port: string
}

export class EtcdMember implements LabHost {
  readonly host: Host
  readonly address: string
  readonly port: string
  readonly name: string
  readonly folder: string
  readonly #others: readonly string[]
  #program: Program | undefined

  constructor(at: LabHost, name: string, all: readonly string[], folder: string) {
    ;({ host: this.host, address: this.address, port: this.port } = at)
    this.name = name
    this.folder = folder
    this.#others = all
  }

  get pid(): number {
    assert.ok(this.#program)
    return this.#program.pid
  }

  get isRunning(): boolean {
    return this.#program !== undefined && isRunning(this.#program)
  }

  /** Unless it runs. @param state `existing`: it was added to a cluster that runs, and its folder is empty. */
  start(state: 'new' | 'existing' = 'new'): void {
    if (this.isRunning) return
    const { address, name } = this
    const initial = this.#others.map((other, i) => `m${i + 1}=http://${other}:2380`).join(',')
    this.#program = this.host.start([
      ...['etcd', '--name', name, '--data-dir', this.#data, '--logger', 'zap', '--log-level', 'error'],
      ...['--listen-client-urls', `http://${address}:2379,http://127.0.0.1:2379`],
      ...['--advertise-client-urls', `http://${address}:2379`],
      ...['--listen-peer-urls', `http://${address}:2380`, '--initial-advertise-peer-urls', `http://${address}:2380`],
      ...['--initial-cluster', initial, '--initial-cluster-token', 'lab', ...ELECTION],
      ...['--initial-cluster-state', state, '--enable-grpc-gateway=false'],
    ])
  }

  async ready(): Promise<void> {
    assert.ok(await this.readyOrEnded(), `${this.name} has ended: ${this.#program?.output}`)
  }

  /** Waits until it answers, which needs a quorum. @returns false if it ended before. */
  async readyOrEnded(): Promise<boolean> {
    const deadline = performance.now() + 60_000
    while (this.etcdctl('get', 'nothing').status !== 0) {
      if (!this.isRunning) return false
      assert.ok(performance.now() < deadline, `${this.name}: ${this.#program?.output}`)
      await delay(100)
    }
    return true
  }

  /** `etcdctl`, at this member. */
  etcdctl(...argv: readonly string[]): { readonly status: number | null; readonly stdout: string } {
    return this.host.run(['etcdctl', '--endpoints', 'http://127.0.0.1:2379', '--command-timeout', '2s', ...argv], {
      env: { ETCDCTL_API: '3' },
    })
  }

  async kill(): Promise<void> {
    await this.#program?.stop('SIGKILL')
  }

  /** Where it still runs. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    if (this.isRunning) process.kill(this.pid, signal)
  }

  /** Copies its data, while it does not run. @param name of the copy. */
  keepData(name: string): void {
    rmSync(join(this.folder, name), { recursive: true, force: true })
    copyFolder(this.#data, join(this.folder, name))
  }

  /** Puts a copy in the place of its data, while it does not run. */
  putBack(name: string): void {
    this.dropData()
    copyFolder(join(this.folder, name), this.#data)
  }

  dropData(): void {
    rmSync(this.#data, { recursive: true, force: true })
  }

  get #data(): string {
    return join(this.folder, 'data')
  }
}

/** With owners and modes. @param to must not exist. */
export function copyFolder(from: string, to: string): void {
  execFileSync('cp', ['-a', from, to])
}

function isRunning({ child }: Program): boolean {
  return child.exitCode === null && child.signalCode === null
}
