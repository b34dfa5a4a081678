/** The least that a receiver in Node.js can do: read packets from one packet socket, and compute one HMAC of each. */

import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Lab } from '../lab.ts'

const LOOP = fileURLToPath(new URL('./bare-loop.ts', import.meta.url))

export interface BareResult {
  readonly packets: number
  /** Processor time of the loop. */
  readonly cpuMilliseconds: number
}

/** Starts it on the server host of a lab. It ends when nothing has come for a second. */
export async function bareReceiver(lab: Lab): Promise<{ stop(): Promise<BareResult> }> {
  const program = lab.server.start([process.execPath, '--conditions=ghostport-source', LOOP])
  for (let waited = 0; !program.output.includes('ready'); waited += 10) {
    if (waited > 10_000) throw new Error(`the bare loop is not ready: ${program.output}`)
    await delay(10)
  }
  return {
    async stop() {
      await program.ended
      const result = program.output.split('\n').find((line) => line.startsWith('{'))
      if (result === undefined) throw new Error(`the bare loop: ${program.output}`)
      return JSON.parse(result)
    },
  }
}
