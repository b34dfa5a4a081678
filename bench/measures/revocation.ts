/** A thousand grants that are open at two gates as well, ended by one command: how long until each gate has closed. */
import { setTimeout as delay } from 'node:timers/promises'
import { ghostportCommand } from '../../test/support/daemon.ts'
import { openSender } from '../../test/support/sender.ts'
import { GatesLab, STANZA } from '../gates-lab.ts'
import { makeKeys, SPA_PORT, sealKnocks } from '../knocks.ts'
import { formatMilliseconds, type Row } from '../row.ts'
import type { Measure } from './measure.ts'

const GATES = 2
/** As many as one stanza can have at other nodes. */
const GRANTS = 1000
const [WAVE, PAUSE] = [50, 150] as const
/** After the grants ended at the node where they were revoked. */
const AIM = 1000
const LONGEST = 60_000

export const revocation: Measure = {
  name: 'revocation',
  about: `${GRANTS} grants at a node and ${GATES} gates, revoked by one command at the node: how long until each has ended`,
  async run() {
    const keys = makeKeys()
    await using lab = await GatesLab.create(keys, GATES, 600)
    const { origin, gates: others } = lab
    await using sender = await openSender(lab.cluster.client.host)
    for (let i = 0; i < GRANTS; i += WAVE) {
      for (const { payload } of sealKnocks(keys, i, WAVE)) void sender.send(payload, origin.address, SPA_PORT)
      await delay(PAUSE)
    }
    const open = () => lab.cluster.nodes.map(({ daemon }) => daemon.status().grants.length)
    await until(() => open().every((count) => count === GRANTS))
    const began = Date.now()
    const { status } = origin.host.run(
      ghostportCommand('revoke', STANZA, '--socket', origin.daemon.path('state/control.sock')),
    )
    const took = Date.now() - began
    const ends = ({ daemon }: (typeof lab.cluster.nodes)[number]): readonly number[] =>
      daemon.events.flatMap(({ event, time }) => (event === 'grant ended' ? [Date.parse(String(time)) - began] : []))
    await until(() => lab.cluster.nodes.every((node) => ends(node).length >= GRANTS))
    const here = Math.max(...ends(origin))
    const there = Math.max(...others.flatMap(ends))
    const rows: Row[] = [
      {
        ...{
          what: `${GRANTS} grants revoked: the last at ${GATES} gates, after those here`,
          server: 'ghostport in a cluster',
        },
        ...{ figure: formatMilliseconds(there - here), count: GRANTS * GATES, target: `≤ ${AIM} ms` },
        met: there - here <= AIM && status === 0,
        note: `the command took ${formatMilliseconds(took)}, with exit status ${status}; ended here after ${formatMilliseconds(here)}`,
      },
    ]
    return rows
  },
}

async function until(isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + LONGEST
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error('not all grants came, or ended')
    await delay(250)
  }
}
