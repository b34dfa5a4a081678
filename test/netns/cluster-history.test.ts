/** The judge of histories must be able to say no. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type Acceptance, faultsIn } from '../support/cluster-history.ts'

const sent = new Map([
  ['k1', 'digest-1'],
  ['k2', 'digest-2'],
])
const claims = new Map([
  ['digest-1', 'node-1'],
  ['digest-2', 'node-2'],
])

for (const [what, accepted, faults] of [
  ['nothing was accepted', [], []],
  ['each once, where it was claimed', ['k1 node-1', 'k2 node-2'], []],
  ['twice at one node', ['k1 node-1', 'k1 node-1'], ['k1 was accepted 2 times: at node-1, node-1']],
  [
    'at two nodes',
    ['k1 node-1', 'k1 node-2'],
    ['k1 was accepted 2 times: at node-1, node-2', 'k1 was accepted at node-2, and node-1 claimed it'],
  ],
  ['without a claim', ['k2 node-1'], ['k2 was accepted at node-1, and node-2 claimed it']],
  ['a packet that nobody sent', ['k3 node-1'], ['k3 was accepted at node-1, and never sent']],
] as const)
  it(what, () => {
    const read = accepted.map((text): Acceptance => {
      const [packet = '', node = ''] = text.split(' ')
      return { packet, node }
    })
    assert.deepEqual(faultsIn({ sent, claims, accepted: read }), faults)
  })

it('a claim that was lost', () => {
  const accepted = [{ packet: 'k1', node: 'node-1' }]
  assert.deepEqual(faultsIn({ sent, claims: new Map(), accepted }), [
    'k1 was accepted at node-1, and nobody claimed it',
  ])
})
