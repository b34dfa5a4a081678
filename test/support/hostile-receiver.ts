/**
 * A receiver under an attacker's control. Once it has its configuration, it sends the lines of its command line over
 * the warden's channel: descriptor 4, or, with GHOSTPORT_FROM_SOCKET=1, a connection of the warden, which is its
 * descriptor 3. Options are before the lines:
 *
 *   --deaf        reads nothing once it has been configured
 *   --times N     sends the lines N times, as fast as the warden reads them
 *   --errors N    writes N kilobytes to its standard error before
 *   --leave PATH  starts a program that keeps all its descriptors, and writes the id of its process to a file before
 *   --end         ends when all is sent
 *   --choke N     is honest, and ends over its N-th configuration
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { takeDescriptors } from '../../src/daemon/link/handover.ts'

const { values, positionals: lines } = parseArgs({
  allowPositionals: true,
  options: {
    deaf: { type: 'boolean' },
    times: { type: 'string', default: '1' },
    errors: { type: 'string', default: '0' },
    leave: { type: 'string' },
    end: { type: 'boolean' },
    choke: { type: 'string' },
  },
})
/** It may be deaf until its end, or its starter may be gone. */
const LONGEST_LIFE = 60_000
/** Lines at once. */
const BATCH = 200

setTimeout(() => process.exit(), LONGEST_LIFE).unref()
const handed = process.env['GHOSTPORT_FROM_SOCKET'] === undefined ? undefined : takeDescriptors(3, process.env)
if (handed?.ok === false) throw new Error(handed.failure.detail)
const [channelDescriptor, captureDescriptor = 3] = handed === undefined ? [4] : [3, handed.value[0]]
const channel = new Socket({ fd: channelDescriptor })
channel.on('error', () => process.exit())
channel.on('end', () => process.exit())
channel.write('{"type":"started"}\n')
if (values.choke !== undefined) await configuredUntil(Number(values.choke))
await once(channel, 'data')
if (values.deaf) {
  channel.pause()
  // Nothing else keeps it alive.
  setInterval(() => {}, 1000)
} else channel.resume()

if (values.leave !== undefined) {
  // Node closes in a child all descriptors that are not listed here. The attack is that a capture socket stays open.
  const child = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', captureDescriptor, channelDescriptor] })
  await once(child, 'spawn')
  writeFileSync(values.leave, `${child.pid}`)
}
for (let written = 0; written < Number(values.errors); written++)
  if (!process.stderr.write(`${'x'.repeat(1023)}\n`)) await once(process.stderr, 'drain')

const times = Number(values.times)
for (let round = 0; round < times; round += BATCH) {
  const text = lines.map((line) => `${line}\n`).join('')
  if (!channel.write(text.repeat(Math.min(BATCH, times - round)))) await once(channel, 'drain')
  if (round % 2000 === 0) await delay(1)
}
if (values.end) process.exit()

/** Confirms what it gets, and is ready after the first. */
async function configuredUntil(last: number): Promise<void> {
  let configurations = 0
  for await (const line of createInterface(channel)) {
    const message = JSON.parse(line) as { type: string; generation: number }
    if (message.type === 'alive?') channel.write('{"type":"alive"}\n')
    if (message.type !== 'configure') continue
    if (++configurations === last) process.exit(134)
    channel.write(`${JSON.stringify({ type: 'configured', generation: message.generation })}\n`)
    if (configurations === 1) channel.write('{"type":"ready"}\n')
  }
}
