/** Nothing moves by itself: what comes late, as addresses and receipts do, moves nothing that is already there. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { chromiumUnavailable, startChromium, type TestBrowser } from './chromium.ts'
import { motionsIn, movesIn } from './moves.ts'
import { openPage } from './on-the-page.ts'
import { type PageServer, servePage } from './page-server.ts'
import { views } from './views.ts'

/** After a click, a browser takes a move for half a second as its effect. All answers come later than that. */
const LATE = 600

describe('the page, with answers that come late', { skip: chromiumUnavailable() }, () => {
  let chromium: TestBrowser
  let server: PageServer
  before(async () => {
    ;[chromium, server] = await Promise.all([startChromium(), servePage()])
    server.slow = LATE
  })
  after(async () => {
    await chromium?.[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
  })

  for (const [width, height] of [
    [320, 568],
    [1280, 800],
  ] as const)
    it(`moves nothing in any view, ${width} wide, and nothing slowly for those who want less motion`, async () => {
      await using page = await openPage(chromium.browser, server.url, { width, height, moves: true })
      const { tab } = page
      await tab.emulateMedia({ reducedMotion: 'reduce' })
      server.receipt = () => 'A'.repeat(128)
      for (const { name, reach } of views) {
        await reach(tab, server)
        assert.deepEqual(await movesIn(tab), [], name)
        assert.deepEqual(await motionsIn(tab), [], name)
      }
    })
})
