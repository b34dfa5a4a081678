/** What init and join write, and what they tell of the users of a cluster. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { NodeName } from '../../config/server/cluster-settings.ts'
import { nodeFiles, tellUsers } from './own-node.ts'

const wanted = { text: 'etcds://10.0.0.1/front', node: 'web-1' as NodeName, secret: 'A secret' }

describe('a new node', () => {
  it('shares the users of the cluster where it was asked to', () => {
    assert.equal(nodeFiles('/etc/fwknop/fwknopd.conf', { ...wanted, users: true }).settings['CLUSTER_USERS'], 'Y')
    assert.ok(!('CLUSTER_USERS' in nodeFiles('/etc/fwknop/fwknopd.conf', wanted).settings))
  })

  for (const [what, shares, version, said] of [
    ['shares them, and there are some', true, 7, /^its users are those of the cluster too \(version 7\)/],
    ['shares them, and there are none', true, 0, /user publish --all/],
    ['does not, and the others do', false, 7, /^warning: the nodes of this cluster share their users.*--users/],
    ['does not, and there are none', false, 0, /^the nodes can share their users too: --users/],
  ] as const)
    it(`is told what to do where it ${what}`, () => assert.match(tellUsers(shares, version).join('\n'), said))
})
