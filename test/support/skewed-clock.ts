/**
 * The clock of a test host: the real one, some seconds ahead or behind, changed while programs run. By libfaketime, in
 * the programs that are started inside: the server under test has nothing of it.
 *
 * Programs inside also run under it with an environment of their own, where they are started by setpriv(1): a wrapper
 * takes its place, in a mount namespace.
 */
import { chmodSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Debian's package libfaketime. */
const LIBRARY = '/usr/$LIB/faketime/libfaketime.so.1'

export class SkewedClock {
  /** Words before a command. */
  readonly inside: readonly string[]
  readonly #file: string
  #seconds = 0

  /** @param folder of its own. Every user can read it afterwards. */
  constructor(folder: string) {
    chmodSync(folder, 0o755)
    this.#file = join(folder, 'clock')
    this.set(0)
    const settings = [
      ...[`LD_PRELOAD=${LIBRARY}`, `FAKETIME_TIMESTAMP_FILE=${this.#file}`, 'FAKETIME_CACHE_DURATION=1'],
      ...['FAKETIME_DONT_FAKE_MONOTONIC=1', 'FAKETIME_DISABLE_SHM=1', 'NO_FAKE_STAT=1'],
    ].map((setting) => `'${setting}'`)
    const [wrapper, real] = [join(folder, 'setpriv'), join(folder, 'setpriv.real')]
    writeFileSync(wrapper, `#!/bin/sh\nexec env ${settings.join(' ')} ${real} "$@"\n`, { mode: 0o755 })
    const script = [
      `cp /usr/bin/setpriv ${real}`,
      `mount --bind ${wrapper} /usr/bin/setpriv`,
      // The library leaves a file there for each program that was killed.
      'mount -t tmpfs none /dev/shm',
      `exec env ${settings.join(' ')} "$@"`,
    ]
    this.inside = ['unshare', '--mount', 'sh', '-c', script.join(' && '), 'sh']
  }

  /** How far it is ahead, in seconds. */
  get seconds(): number {
    return this.#seconds
  }

  /** Programs that run see it within a second or two. @param seconds ahead of the real clock. */
  set(seconds: number): void {
    this.#seconds = seconds
    writeFileSync(`${this.#file}.new`, `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}\n`, { mode: 0o644 })
    renameSync(`${this.#file}.new`, this.#file)
  }
}
