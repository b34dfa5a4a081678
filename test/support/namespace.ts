/**
 * Network namespaces: made, entered, joined by cables, and removed. The story, the tests and the benchmarks all use
 * these.
 *
 * A held namespace has no name. It lives as long as one process, whose standard input is a pipe from this one. When
 * this process ends, in any way (also by SIGKILL), the kernel removes the namespace with its links and its firewall.
 * Two runs at the same time cannot collide, and nothing needs to be cleaned up. A named namespace is visible to all
 * processes and outlives this one.
 */
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'

export interface Namespace {
  /** For messages only. */
  readonly label: string
  /** What `ip … netns` takes: the number of a process in it, or its name. */
  readonly id: string
  /** What `nsenter --net=` takes. */
  readonly path: string
}

export interface HeldNamespace extends Namespace {
  /** The process that holds it. */
  readonly pid: number
  /** Resolves when it is gone, except for processes that are still in it. */
  close(): Promise<void>
}

/** Makes a namespace that ends with this process. Its loopback is up. */
export async function holdNamespace(label: string): Promise<HeldNamespace> {
  const holder = spawn('unshare', ['--net', 'sh', '-c', 'ip link set lo up && echo up && exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(holder, 'exit').then(() => {
    throw new Error(`no network namespace for ${label}`)
  })
  await Promise.race([once(holder.stdout, 'data'), ended])
  ended.catch(() => {})
  const { pid } = holder
  if (pid === undefined) throw new Error(`no network namespace for ${label}`)
  return { label, id: String(pid), path: `/proc/${pid}/ns/net`, pid, close: () => letGo(holder) }
}

async function letGo(holder: ChildProcessByStdio<Writable, Readable, null>): Promise<void> {
  const ended = once(holder, 'exit')
  holder.stdin.end()
  if (holder.exitCode === null && holder.signalCode === null) await ended
}

/**
 * Makes namespaces with names that every process sees: all of them, or none.
 *
 * @throws NameTaken if one cannot be made. Those made before it are removed.
 */
export function addNamespaces(names: readonly string[]): void {
  for (const [made, name] of names.entries()) {
    const { status, stderr, error } = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' })
    if (status === 0) continue
    removeNamespaces(names.slice(0, made))
    throw new NameTaken(name, error?.message ?? stderr.trim())
  }
}

export class NameTaken extends Error {
  readonly namespace: string
  constructor(namespace: string, message: string) {
    super(message)
    this.namespace = namespace
  }
}

/** Removes namespaces by their names. A missing one is not an error. */
export function removeNamespaces(names: readonly string[]): void {
  for (const name of names) spawnSync('ip', ['netns', 'delete', name])
}

/** A namespace that {@link addNamespaces} made. Its loopback is up. */
export function namedNamespace(name: string): Namespace {
  const namespace = { label: name, id: name, path: `/run/netns/${name}` }
  runInside(namespace, ['ip', 'link', 'set', 'lo', 'up'])
  return namespace
}

/** `argv`, to be run inside. */
export function inside({ path }: Namespace, argv: readonly string[]): readonly [string, ...string[]] {
  return ['nsenter', `--net=${path}`, '--', ...argv]
}

/** Runs a short program inside that must succeed. @throws Error with its output. */
export function runInside(namespace: Namespace, argv: readonly string[]): void {
  const [file, ...args] = inside(namespace, argv)
  const { status, stdout, stderr, error } = spawnSync(file, args, { encoding: 'utf8', timeout: 120_000 })
  if (status !== 0)
    throw new Error(`${namespace.label}: ${argv.join(' ')}\n${error?.message ?? `${stderr}${stdout}`.trim()}`)
}

/** One end of a cable. */
export interface End {
  readonly namespace: Namespace
  /** The name of the interface. */
  readonly name: string
  /** CIDR, IPv4 or IPv6. */
  readonly addresses: readonly string[]
}

/** Joins two namespaces by a cable. Both ends have their addresses and are up on return. */
export function layCable(a: End, b: End): void {
  // Both ends are made in their namespaces, so that no name is ever used in the namespace of this process.
  const [one, other] = [a, b].map(({ namespace, name }) => ['name', name, 'netns', namespace.id])
  runInside(a.namespace, ['ip', 'link', 'add', ...(one ?? []), 'type', 'veth', 'peer', ...(other ?? [])])
  for (const { namespace, name, addresses } of [a, b]) {
    runInside(namespace, ['ip', 'link', 'set', name, 'up'])
    for (const address of addresses) {
      // nodad: an IPv6 address cannot be used for two seconds while it is checked for duplicates.
      const nodad = address.includes(':') ? ['nodad'] : []
      runInside(namespace, ['ip', 'address', 'add', address, 'dev', name, ...nodad])
    }
  }
}
