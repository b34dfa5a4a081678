/** Runs the console in this process until a signal ends it. */
import { systemClock } from '../../clock.ts'
import { type Console, type ListeningConsole, openConsole } from '../../console/console.ts'
import type { ServerState } from '../../console/server-watch.ts'
import { type Bundle, bundleRoutes } from '../../http-server/bundle.ts'
import type { Log } from '../../log.ts'
import type { Result } from '../../result.ts'
import { becomeUnprivileged } from '../../system/become.ts'
import { ownVersion } from '../../system/own-version.ts'
import { returnMemory } from '../../system/return-memory.ts'
import { StateFolder } from '../../system/state-folder.ts'
import { setV8Options } from '../../system/v8-options.ts'
import type { Outcome } from '../command.ts'
import { gatewayIdentity } from '../gateway/identity.ts'
import {
  beginWebProcess,
  LAST_LINES_TIME,
  ownServiceManager,
  pageBundle,
  tellNotices,
  tellReady,
  untilSignal,
} from '../server/web-process.ts'
import { openRenewal } from '../server/web-renewal.ts'
import { logToOutput } from '../terminal/output-log.ts'
import { consolePagePermissions } from './page-permissions.ts'
import type { ReadConsoleConfig } from './read-console-file.ts'

const TITLE = 'ghostport: console'
/** Files of this process are for nobody else. */
const OWN_FILES_ONLY = 0o077

export async function runConsole(read: ReadConsoleConfig): Promise<Outcome> {
  const exposed = await beginWebProcess(TITLE)
  if (!exposed.ok) return exposed
  process.umask(OWN_FILES_ONLY)
  const { config } = read
  const become = gatewayIdentity(config.user)
  if (!become.ok) return become
  const state = StateFolder.open(config.stateFolder, become.value)
  if (!state.ok) return state
  const alone = await state.value.keepToOneServer()
  if (!alone.ok) return alone
  const bundle = pageBundle('console')
  const { log, output } = logToOutput()
  const opened = await openConsole(
    config,
    state.value,
    bundle === undefined ? [] : bundleRoutes(bundle, consolePagePermissions),
    {
      clock: systemClock,
      wall: () => new Date(),
      version: ownVersion(),
      onFault: (error) => log.write('error', 'fault', { detail: error instanceof Error ? error.message : 'unknown' }),
      onAccount: (did, name, from) =>
        log.write(did.endsWith('refused') ? 'warning' : 'info', 'account', {
          did,
          ...(name !== undefined && { account: name }),
          ...(from !== undefined && { from }),
        }),
      onUnrecorded: (did, why) =>
        log.write('warning', 'notice', { text: `The audit log has no line about “${did}”: ${why.detail}.` }),
      onServer: (server) => tellServer(log, server),
    },
  )
  if (!opened.ok) return opened
  const dropped = await becomeUnprivileged(become.value)
  const begun: Result<Console> = dropped.ok ? opened.value.begin() : dropped
  if (!begun.ok) {
    await opened.value.http.close(0)
    return begun
  }
  const door = await openRenewal(config.certificate, state.value, begun.value, 'console', log)
  const manager = ownServiceManager()
  tellStart(log, read, opened.value, bundle)
  manager.ready('the console answers')
  returnMemory()
  setV8Options('console')
  await untilSignal(log)
  manager.stopping()
  door()
  await begun.value.close()
  await output.flush(LAST_LINES_TIME)
  return 0
}

function tellStart(
  log: Log,
  { notices }: ReadConsoleConfig,
  listening: ListeningConsole,
  bundle: Bundle | undefined,
): void {
  tellNotices(log, notices)
  if (bundle === undefined)
    log.write('warning', 'notice', { text: 'The files of the page are not there: only programs can use this console.' })
  tellReady(log, listening, bundle)
}

/** Each change once. */
function tellServer(log: Log, { state, problems }: ServerState): void {
  log.write(state === 'up' ? 'info' : 'warning', 'server', {
    state,
    ...(problems.length > 0 && { problems: problems.map(({ text }) => text) }),
  })
}
