/** The client of a user who waits, in a flood that no server can open all of. */
import { setTimeout as delay } from 'node:timers/promises'
import { DOOR_PORT, makeJunk, makeKeys } from '../knocks.ts'
import { Lab, SERVER, serverAddress } from '../lab.ts'
import { formatMilliseconds, type Row } from '../row.ts'
import { ghostport, ghostportBinary, ghostportUdp } from '../servers/ghostport.ts'
import { summarise } from '../statistics.ts'
import type { Measure } from './measure.ts'

const RUNS = 50
const PAYLOADS = 4_096
/** Of a grant, in seconds, so that the next run finds the port shut. */
const LIFETIME = 1
const FLOOD_SLICE = 1_000

/** What `ghostport knock --wait --json` says, as far as it counts here. */
interface Said {
  readonly ok: boolean
  readonly packets: readonly unknown[]
  readonly open?: { readonly milliseconds: number } | null
}

export const wait: Measure = {
  name: 'wait',
  about:
    `\`ghostport knock --wait\`, ${RUNS} times, while another process sends junk from ${PAYLOADS} addresses as fast as it can; ` +
    'the share of first knocks that open shows by how much that is too fast',
  run: async () => {
    const rows: Row[] = []
    for (const kind of [ghostport, ghostportUdp]) {
      await using lab = await Lab.create()
      const keys = makeKeys()
      const server = await kind.start(lab, { keys, lifetime: LIFETIME })
      const flooder = await lab.traffic()
      let [sent, milliseconds, over] = [0, 0, false]
      const flooding = (async () => {
        const question = { ask: 'flood', server: serverAddress, payloads: makeJunk(PAYLOADS) } as const
        while (!over) {
          const flooded = await flooder.ask({ ...question, packetsPerSecond: Infinity, milliseconds: FLOOD_SLICE })
          sent += flooded.sent
          milliseconds += flooded.milliseconds
        }
      })()
      const knock = [process.execPath, ghostportBinary, 'knock', '--no-rc-file', '-D', SERVER, '-A', `tcp/${DOOR_PORT}`]
      const words = ['-s', '--key-base64-rijndael', keys.encryptionBase64, '--key-base64-hmac', keys.hmacBase64]
      const times: number[] = []
      const openedBy = new Map<number, number>()
      for (let i = 0; i < RUNS; i++) {
        const program = lab.client.start([...knock, ...words, '--wait', '--json'])
        await program.end()
        // Beside it is what the client says on standard error.
        const { ok, packets, open } = JSON.parse(/^\{.*$/m.exec(program.output)?.[0] ?? '') as Said
        if (!ok || !open) continue
        times.push(open.milliseconds)
        openedBy.set(packets.length, (openedBy.get(packets.length) ?? 0) + 1)
        await delay(1_000 * (LIFETIME + 0.5))
      }
      over = true
      await flooding
      await server.stop()
      const summary = summarise(times)
      const knocks = [...openedBy].sort(([a], [b]) => a - b).map(([knock, count]) => `knock ${knock}: ${count}`)
      rows.push({
        what: 'knock --wait under junk at full speed: open in 5 s',
        server: kind.name,
        figure: `${times.length} of ${RUNS}`,
        count: RUNS,
        ...(summary && { p95: formatMilliseconds(summary.p95) }),
        target: 'all',
        met: times.length === RUNS,
        note: `${Math.round(sent / (milliseconds / 1000))} packets/s; opened by ${knocks.join(', ') || 'none'}`,
      })
    }
    return rows
  },
}
