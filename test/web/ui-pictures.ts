/** The pictures of docs/UI.md: the list of doors, and a door that is open. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser } from 'playwright-core'
import { startUi, uiTree } from '../support/ui.ts'

const KEY = Buffer.alloc(32, 7).toString('base64')
const DOORS = [
  ['office', 'office.example.org', 'ACCESS tcp/22'],
  ['wiki', 'office.example.org', 'ACCESS tcp/443'],
  ['home', 'home.example.net', 'ACCESS tcp/22', 'NAT_LOCAL Y', 'NAT_PORT 80'],
] as const
/** What the program tells of a knock, line by line. */
const KNOCK = [
  { event: 'sent', number: 1, packets: [{ address: '192.0.2.10', port: 62201, error: null }] },
  { event: 'open', address: '192.0.2.10', port: 22, milliseconds: 38, already: false, seconds: 60 },
  { event: 'program', state: 'started', filled: ['x-terminal-emulator'] },
  { event: 'end' },
]

/** @param folder for the pictures. @returns their names. */
export async function takeUiPictures(browser: Browser, folder: string): Promise<readonly string[]> {
  const home = mkdtempSync(join(tmpdir(), 'ghostport-ui-pictures-'))
  const rc = DOORS.map(([name, server, ...more]) =>
    [`[${name}]`, `SPA_SERVER ${server}`, ...more, 'ALLOW_IP source', 'FW_TIMEOUT 60', `KEY_BASE64 ${KEY}`, ''].join(
      '\n',
    ),
  )
  writeFileSync(join(home, '.fwknoprc'), rc.join('\n'), { mode: 0o600 })
  using tree = await uiTree()
  try {
    await using ui = await startUi(tree, home)
    const context = await browser.newContext({ viewport: { width: 1000, height: 640 }, colorScheme: 'light' })
    const tab = await context.newPage()
    await tab.goto(pathToFileURL(ui.launchFile).href)
    await tab.getByRole('heading', { name: 'Doors' }).waitFor()
    await tab.screenshot({ path: join(folder, 'ui-doors.png'), animations: 'disabled' })
    await tab.route('**/api/knock', (route) =>
      route.fulfill({ body: KNOCK.map((event) => `${JSON.stringify(event)}\n`).join('') }),
    )
    await tab.setViewportSize({ width: 620, height: 760 })
    await tab.emulateMedia({ colorScheme: 'dark' })
    await tab.getByRole('button', { name: 'Open office' }).click()
    await tab.getByRole('timer').waitFor()
    await tab.screenshot({ path: join(folder, 'ui-open.png'), animations: 'disabled' })
    await context.close()
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
  return ['ui-doors.png', 'ui-open.png']
}
