/**
 * A receiver as the warden would start it. It gives up its privileges first, then captures from what it inherits. It
 * reports on standard output, one JSON object per line, what it is and what it got. It ends when standard input does.
 */
import { readFileSync, writeSync } from 'node:fs'
import { packetSocketCapture } from '../../src/capture/packet-socket/packet-socket.ts'
import { captureDescriptor } from '../../src/daemon/link/receiver-start.ts'
import { becomeUnprivileged, parseBecome } from '../../src/system/become.ts'
import { PollSet } from '../../src/system/poll-set.ts'
import { parsePrivileges } from '../../src/system/privilege.ts'
import { port } from '../../src/units.ts'

const say = (value: unknown): void =>
  void writeSync(1, `${JSON.stringify(value, (_, field) => (typeof field === 'bigint' ? `${field}` : field))}\n`)

const become = parseBecome(process.argv)
const shed = await becomeUnprivileged(become.ok ? become.value : undefined)
if (!shed.ok) {
  say({ refused: shed.failure })
  process.exit(70)
}
say({ privileges: parsePrivileges(readFileSync('/proc/self/status', 'utf8')) })

const capture = packetSocketCapture({
  fds: [captureDescriptor(0), captureDescriptor(1)],
  ports: [port(Number(process.argv[2]))],
  interfaces: [],
})
const waiting = new PollSet([0, ...capture.fds])
say({ ready: true })
while (!waiting.isReadable(0)) {
  waiting.wait(-1)
  for (const [i, fd] of capture.fds.entries())
    if (waiting.isReadable(1 + i))
      for (const { payload, ...packet } of capture.receive(fd))
        say({ packet, payload: Buffer.from(payload).toString('latin1') })
}
say({ counters: capture.counters() })
