/** `ghostport ui`: the page on the desktop. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { rcPath } from '../client/rc-stanza.ts'
import { openBrowser } from '../client-ui/open-browser.ts'
import { serveUi } from '../client-ui/serve-ui.ts'
import { ok, type Result, refuse } from '../result.ts'
import { systemReason } from '../system/errno.ts'
import { ownVersion } from '../system/own-version.ts'
import { type Port, parsePort } from '../units.ts'
import { builtPage } from './built-page.ts'
import { defineCommand, type Outcome } from './command.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import { qrCode } from './terminal/qr-code.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = {
  'rc-file': { value: 'FILE', help: 'use FILE instead of ~/.fwknoprc' },
  port: { value: 'PORT', help: 'listen at this port of localhost (default: one that the system chooses)' },
  'no-browser': { help: 'open no browser: print the path of the file to open' },
  stay: { help: 'go on after the last page is closed' },
} as const

export const command = defineCommand({
  options,
  operands: {},
  about: [
    'Opens a page in your browser: the stanzas of ~/.fwknoprc, to knock with, to edit, to import and to export. The page is',
    'served by this program on localhost, for you alone. It ends when the last page is closed.',
  ],
  after: ['ghostport ui', 'ghostport ui --no-browser        prints a file: open it in any browser of yours'],
  run,
})

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

async function run({ options: given }: ParsedCommandLine<typeof options>, terminal: Terminal): Promise<Outcome> {
  const where = rcPath(given['rc-file'] === undefined ? {} : { 'rc-file': given['rc-file'] })
  if ('none' in where)
    return refuse('CLI_USAGE', `there is no rc file: ${where.none}`, { suggestion: '--rc-file FILE' })
  const port = parsePortOption(given.port)
  if (!port.ok) return port
  const page = builtPage('ui')
  if (!isBuilt(page))
    return refuse('CONFIG_UNREADABLE', 'the files of the page are not there: this copy of ghostport was not built', {
      suggestion: 'npm run build',
    })
  const served = await serveUi({
    ...{ version: ownVersion(), qrCode, file: where.path, page, port: port.value, stay: given.stay > 0 },
    onFault: (error) => terminal.note(`ghostport: a fault of the page's server: ${systemReason(error)}`),
  })
  if (!served.ok) return served
  const { origin, launchFile, end, ended } = served.value
  for (const signal of SIGNALS) process.once(signal, end)
  const opens = given['no-browser'] === 0 && (await openBrowser(launchFile))
  terminal.note(
    opens
      ? `ghostport: the page is at ${origin}/ and ends when it is closed (Ctrl-C ends it now)`
      : `ghostport: open this file in your browser: ${launchFile} (Ctrl-C ends the page)`,
  )
  await ended
  return 0
}

function parsePortOption(text: string | undefined): Result<Port | 0> {
  if (text === undefined) return ok(0)
  const port = parsePort(text)
  return port.ok ? port : refuse('VALUE_INVALID', `--port: ${port.failure.detail}`)
}

function isBuilt(folder: string): boolean {
  return existsSync(join(folder, 'files.json'))
}
