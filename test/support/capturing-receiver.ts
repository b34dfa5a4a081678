/**
 * A receiver as the warden would start it: looks at its own privileges first, then captures from what it inherits, and
 * tells on standard output, one JSON object a line, what it is and what it got. It ends when standard input does.
 */
import { readFileSync } from 'node:fs'
import { createPacketSocketCapture } from '../../src/capture/packet-socket.ts'
import { assertUnprivileged, captureDescriptor, parsePrivileges } from '../../src/daemon/privilege.ts'
import { port } from '../../src/units.ts'

const say = (value: unknown): void =>
  void process.stdout.write(
    `${JSON.stringify(value, (_, field) => (typeof field === 'bigint' ? `${field}` : field))}\n`,
  )

const status = readFileSync('/proc/self/status', 'utf8')
const checked = assertUnprivileged()
if (!checked.ok) {
  say({ refused: checked.failure })
  process.exit(70)
}
say({ privileges: parsePrivileges(status) })

const stopped = new AbortController()
process.stdin.on('end', () => stopped.abort()).resume()
const capture = createPacketSocketCapture({
  fds: [captureDescriptor(0), captureDescriptor(1)],
  ports: [port(Number(process.argv[2]))],
  interfaces: [],
})
await capture.run(
  (packets) => {
    for (const { payload, ...packet } of packets) say({ packet, payload: Buffer.from(payload).toString('latin1') })
  },
  stopped.signal,
  () => say({ ready: true }),
)
say({ counters: capture.counters() })
