/**
 * A receiver as the warden would start it: gives up its privileges first, then captures from what it inherits, and
 * tells on standard output, one JSON object a line, what it is and what it got. It ends when standard input does.
 */
import { readFileSync } from 'node:fs'
import { type CaptureThread, createPacketSocketCapture, startCaptureThread } from '../../src/capture/packet-socket.ts'
import { becomeUnprivileged, parseBecome } from '../../src/daemon/become.ts'
import { captureDescriptor, parsePrivileges } from '../../src/daemon/privilege.ts'
import { port } from '../../src/units.ts'

const say = (value: unknown): void =>
  void process.stdout.write(
    `${JSON.stringify(value, (_, field) => (typeof field === 'bigint' ? `${field}` : field))}\n`,
  )

const become = parseBecome(process.argv)
let thread: CaptureThread | undefined
const shed = await becomeUnprivileged(become.ok ? become.value : undefined, async () => {
  thread = await startCaptureThread()
})
if (!shed.ok) {
  say({ refused: shed.failure })
  process.exit(70)
}
say({ privileges: parsePrivileges(readFileSync('/proc/self/status', 'utf8')) })

const stopped = new AbortController()
process.stdin.on('end', () => stopped.abort()).resume()
const capture = createPacketSocketCapture({
  fds: [captureDescriptor(0), captureDescriptor(1)],
  ports: [port(Number(process.argv[2]))],
  interfaces: [],
  ...(thread !== undefined && { thread }),
})
await capture.run(
  (packets) => {
    for (const { payload, ...packet } of packets) say({ packet, payload: Buffer.from(payload).toString('latin1') })
  },
  stopped.signal,
  () => say({ ready: true }),
)
say({ counters: capture.counters() })
