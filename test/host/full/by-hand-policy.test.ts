/** The way of docs/BY-HAND.md with a policy for the whole host, word for word, on Debian 13 over ssh. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { HostLab, hostLabUnavailable, SERVER, STRANGER } from '../../support/host-lab.ts'
import { Road } from '../../support/road.ts'
import { shutWhileItBoots } from '../outside.ts'
import { opensToKnocks } from '../traffic.ts'

describe('a server by hand, with a policy for the whole host', { skip: hostLabUnavailable() }, () => {
  let lab: HostLab
  let road: Road
  before(async () => {
    lab = await HostLab.boot('trixie')
    road = await Road.begin(lab, 'README.md', 'docs/BY-HAND.md')
  })
  after(() => lab?.close())

  it('closes the ports while the first session lives on, and a knock opens them', async () => {
    const first = road.session
    for (const title of ['1. Install, on both', '2. Keys, on the server', '3. Serve', '4. Knock, from the client'])
      await road.walk(title)
    assert.ok(await lab.ssh(SERVER.four, STRANGER.four))
    await road.walk('Or a policy for the whole host')
    await road.grantsEnd()
    await opensToKnocks(lab)
    await first.must('true')
  })

  it('is the same after a reboot', async () => {
    await shutWhileItBoots(lab)
  })
})
