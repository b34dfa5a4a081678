/**
 * A cluster process under an attacker's control. The server starts it for a connection, as systemd would
 * (helper-service.ts): descriptor 3 is its channel. It says that it has started, gets its configuration, and then:
 *
 *   --says LINE    Sends this line. Several lines are sent in turn.
 *   --times N      Sends them so often, as fast as the warden reads.
 *   --deaf         Reads nothing.
 *   --first        Says of each packet twice that it is first. Says the same of packets that nobody asked about.
 */
import { once } from 'node:events'
import { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { CLUSTER_CHANNEL, type ToCluster } from '../../src/daemon/link/cluster-protocol.ts'
import { takeDescriptors } from '../../src/daemon/link/handover.ts'

const { values } = parseArgs({
  options: {
    says: { type: 'string', multiple: true, default: [] },
    times: { type: 'string', default: '1' },
    deaf: { type: 'boolean' },
    first: { type: 'boolean' },
  },
})
/** Its starter may be gone. */
const LONGEST_LIFE = 120_000
const BATCH = 100

setTimeout(() => process.exit(), LONGEST_LIFE).unref()
const handed = takeDescriptors(CLUSTER_CHANNEL, process.env)
if (!handed.ok) throw new Error(handed.failure.detail)
const channel = new Socket({ fd: CLUSTER_CHANNEL })
for (const end of ['error', 'close'] as const) channel.on(end, () => process.exit())
channel.write('{"type":"started"}\n')
if (values.first) for await (const line of createInterface(channel)) answer(JSON.parse(line) as ToCluster)
await once(channel, 'data')
if (values.deaf) channel.pause()
else channel.resume()
const text = values.says.map((line) => `${line}\n`).join('')
for (let said = 0; said < Number(values.times); said += BATCH) {
  if (!channel.write(text.repeat(Math.min(BATCH, Number(values.times) - said)))) await once(channel, 'drain')
}
setInterval(() => {}, 1000)

function answer(message: ToCluster): void {
  channel.write('{"type":"health","took":1}\n')
  if (message.type !== 'claim') return
  const ids = message.claims.flatMap(({ id }) => [id, id, id + 1000])
  channel.write(`${JSON.stringify({ type: 'answers', answers: ids.map((id) => ({ id, first: 'yes' })) })}\n`)
}
