/**
 * `npm run page-pictures -- FOLDER`: a picture of each view, in each size, light and dark, to look at. Without a
 * folder, only those of docs/PAGE.md, docs/UI.md and docs/CONSOLE.md, into docs/images/. As root: the console’s have
 * a network of their own.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { startChromium } from './chromium.ts'
import { takeConsolePictures } from './console-pictures.ts'
import { openPage } from './on-the-page.ts'
import { servePage } from './page-server.ts'
import { takeUiPictures } from './ui-pictures.ts'
import { views } from './views.ts'

const SIZES = [
  [320, 640],
  [390, 844],
  [768, 1024],
  [1280, 800],
] as const
/** View and whether dark. */
const IN_DOCS = new Map([
  ['door', false],
  ['door-open', false],
  ['preview', false],
  ['door-doubts', true],
])

const [folder, only] = process.argv.slice(2)
await using server = await servePage()
const HOSTS = ['https://gate.example.org', 'https://echo.example.net']
if (folder === undefined) server.echo = HOSTS[1] ?? ''
await using chromium = await startChromium()
const target = folder ?? join(import.meta.dirname, '..', '..', 'docs', 'images')
mkdirSync(target, { recursive: true })
for (const [width, height] of folder === undefined ? ([[390, 844]] as const) : SIZES)
  for (const dark of [false, true]) {
    await using page = await openPage(chromium.browser, server.url, {
      width,
      height,
      dark,
      ...(folder === undefined && { as: HOSTS }),
    })
    server.receipt = () => 'A'.repeat(128)
    for (const view of views) {
      await view.reach(page.tab, server)
      if (only !== undefined && !view.name.includes(only)) continue
      if (folder === undefined && IN_DOCS.get(view.name) !== dark) continue
      const name =
        folder === undefined ? `page-${view.name}.png` : `${view.name}-${width}-${dark ? 'dark' : 'light'}.png`
      await page.tab.evaluate(() => scrollTo(0, 0))
      // The whole view, with the line that is at the end of the window at its end.
      const whole = await page.tab.evaluate(() => document.documentElement.scrollHeight)
      if (folder !== undefined) await page.tab.setViewportSize({ width, height: Math.max(height, whole) })
      await page.tab.screenshot({ path: join(target, name), animations: 'disabled' })
      await page.tab.setViewportSize({ width, height })
      process.stdout.write(`${name}\n`)
    }
  }
if (only === undefined)
  for (const name of await takeConsolePictures(target, folder !== undefined)) process.stdout.write(`${name}\n`)
if (folder === undefined)
  for (const name of await takeUiPictures(chromium.browser, target)) process.stdout.write(`${name}\n`)
