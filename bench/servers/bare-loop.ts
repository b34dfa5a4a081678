/** See `bare-receiver.ts`. */
import { randomBytes } from 'node:crypto'
import { MessageBatch } from '../../src/capture/message-batch.ts'
import { openPacketSockets } from '../../src/capture/packet-socket/open.ts'
import { primitives } from '../../src/primitives/node.ts'
import { PollSet } from '../../src/system/poll-set.ts'
import { port } from '../../src/units.ts'
import { SPA_PORT } from '../knocks.ts'

const IDLE = 1000
/** IPv4 and UDP. */
const HEADERS = 28

const opened = openPacketSockets({ ports: [port(SPA_PORT)], queues: 1 })
if (!opened.ok) throw new Error(opened.failure.detail)
const [fd = -1] = opened.value.fds
const batch = new MessageBatch(2048)
const waiting = new PollSet([fd])
const mac = primitives.prepareHmac('sha256', randomBytes(64))
process.stdout.write('ready\n')
let packets = 0
let begun: NodeJS.CpuUsage | undefined
for (;;) {
  waiting.wait(begun === undefined ? -1 : IDLE)
  if (!waiting.isReadable(0)) break
  begun ??= process.cpuUsage()
  const count = batch.receive(fd)
  for (let i = 0; i < count; i++) mac(batch.payload(i).subarray(HEADERS))
  packets += count
}
const { user, system } = process.cpuUsage(begun)
process.stdout.write(`${JSON.stringify({ packets, cpuMilliseconds: (user + system) / 1000 })}\n`)
