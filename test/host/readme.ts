/**
 * The README's five minutes on a Debian that boots, over ssh: each command exactly as in the README, from the package
 * to the first knock.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { DebianName } from '../support/debian-root.ts'
import { HostLab, hostLabUnavailable, SERVER, STRANGER } from '../support/host-lab.ts'
import { Road } from '../support/road.ts'
import { opensToKnocks, shutToStrangers } from './traffic.ts'

export function describeReadme(debian: DebianName): void {
  describe(`the README, on ${debian}`, { skip: hostLabUnavailable() }, () => {
    let lab: HostLab
    let road: Road
    let began: number

    before(async () => {
      lab = await HostLab.boot(debian)
      road = await Road.begin(lab, 'README.md')
    })
    after(() => lab?.close())

    it('installs, and closes nothing by that', async () => {
      began = performance.now()
      await road.walk('1. Install, on both')
      assert.ok(await lab.ssh(SERVER.four, STRANGER.four))
    })

    it('hides ssh, and keeps the session', async () => {
      await road.walk('2. Hide ssh, on the server')
      await shutToStrangers(lab)
      await road.session.must('true')
    })

    it('lets in whoever knocks, which confirms it, in less than five minutes', async () => {
      await road.walk('3. Knock, from the client')
      await road.initSays('the changes stay')
      const took = performance.now() - began
      assert.ok(took < 300_000, `${took} ms`)
      await road.grantsEnd()
      await opensToKnocks(lab)
    })

    it('is taken off again', async () => {
      await road.session.must('ghostport uninstall --yes')
      assert.ok(await lab.ssh(SERVER.four, STRANGER.four))
    })
  })
}
