/** A socket that syslog(3) writes to, as rsyslog or systemd would have it at /dev/log. */
import assert from 'node:assert/strict'
import { unlinkSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { AF_UNIX, libc, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK } from '../../src/system/libc.ts'
import { socketAddress } from '../../src/system/unix-datagram.ts'

export class SyslogSocket implements Disposable {
  readonly path: string
  readonly #fd: number
  readonly #messages: string[] = []
  readonly #reading: NodeJS.Timeout

  constructor(path: string) {
    const address = socketAddress(path)
    assert.ok(address, path)
    this.path = path
    this.#fd = libc().socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    assert.equal(libc().bind(this.#fd, address, address.length), 0, `bind to ${path}: errno ${libc().errno()}`)
    // The kernel keeps some ten messages for a reader.
    this.#reading = setInterval(() => this.messages(), 10).unref()
  }

  /** All messages so far. */
  messages(): readonly string[] {
    const bytes = Buffer.alloc(16_384)
    for (;;) {
      const length = libc().recv(this.#fd, bytes, bytes.length, 0)
      if (length < 0) return [...this.#messages]
      this.#messages.push(bytes.toString('utf8', 0, length))
    }
  }

  /** The first message from index `from` on that matches. @throws AssertionError with all messages. */
  async says(pattern: RegExp, from = 0): Promise<string> {
    const deadline = performance.now() + 20_000
    for (;;) {
      const all = this.messages()
      const found = all.slice(from).find((message) => pattern.test(message))
      if (found !== undefined) return found
      assert.ok(performance.now() < deadline, `not in syslog: ${pattern}\n${all.join('\n')}`)
      await delay(10)
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#reading)
    libc().close(this.#fd)
    unlinkSync(this.path)
  }
}

/**
 * Words that run what follows them with `socket` at /dev/log, and the other devices that programs need. Only they see
 * that folder.
 */
export function withDevLog(socket: string): readonly string[] {
  const script = `
    dev=$(mktemp -d) && mount -t tmpfs none "$dev" && cd "$dev"
    for name in null zero random urandom tty; do : > $name && mount --bind /dev/$name $name; done
    : > log && mount --bind "$1" log && mount --move "$dev" /dev && cd / && rmdir "$dev"
    shift && exec "$@"`
  return ['unshare', '--mount', 'sh', '-e', '-c', script, 'dev-log', socket]
}
