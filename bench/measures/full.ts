/** How soon a server is ready if the firewall is full: all that was open before must stay open, to the second. */
import { fileURLToPath } from 'node:url'
import { makeKeys } from '../knocks.ts'
import { Lab } from '../lab.ts'
import { formatMilliseconds, type Row, threeDigits } from '../row.ts'
import { ghostport } from '../servers/ghostport.ts'
import { summarise } from '../statistics.ts'
import type { Measure } from './measure.ts'

const FILL = fileURLToPath(new URL('../traffic/fill-firewall.ts', import.meta.url))
/** The default of MAX_GRANTS. */
const GRANTS = 65_535
const STARTS = 5
const READY = 2000

export const full: Measure = {
  name: 'full',
  about: `start until ready with none and with ${GRANTS} grants live, the most by default; with the processor time of all processes until then`,
  run: async () => {
    const rows: Row[] = []
    for (const grants of [0, GRANTS]) {
      await using lab = await Lab.create()
      if (grants > 0) lab.server.must([process.execPath, '--conditions=ghostport-source', FILL, `${grants}`, '7200'])
      const times: number[] = []
      const processor: number[] = []
      let memory = 0
      for (let i = 0; i < STARTS; i++) {
        const server = await ghostport.start(lab, { keys: makeKeys() })
        times.push(server.startMilliseconds)
        processor.push(server.cpuMilliseconds())
        memory = server.memory()
        await server.stop()
      }
      const [wall, spent] = [summarise(times), summarise(processor)]
      if (wall === undefined || spent === undefined) continue
      rows.push({
        what: `start to ready with ${grants} grants live`,
        server: ghostport.name,
        figure: formatMilliseconds(wall.median),
        p95: formatMilliseconds(wall.p95),
        count: wall.count,
        ...(grants > 0 && { target: `≤ ${READY} ms`, met: wall.median <= READY }),
        note: `processor ${formatMilliseconds(spent.median)}; ${threeDigits(memory / 1e6)} MB`,
      })
    }
    return rows
  },
}
