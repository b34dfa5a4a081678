/** Runs the server in this process until a signal ends it, or until it cannot go on. */
import { systemClock } from '../../clock.ts'
import type { ConfigSource } from '../../config/load.ts'
import type { ServiceManager } from '../../daemon/warden/service-manager.ts'
import type { StartOptions } from '../../daemon/warden/start.ts'
import type { Warden } from '../../daemon/warden/warden.ts'
import { failureKinds } from '../../failure-codes.ts'
import { failureFields, type Log } from '../../log.ts'
import type { Failure } from '../../result.ts'
import { setProcessTitle, shutInspector, WARDEN_TITLE } from '../../system/own-process.ts'
import { preferWarden } from '../../system/priority.ts'
import { type Milliseconds, milliseconds } from '../../units.ts'
import type { Outcome } from '../command.ts'
import { storeCompiledCode } from '../compile-cache.ts'
import { describeFailure, type Terminal } from '../terminal/terminal.ts'
import { stopSignal } from './stop-signal.ts'

/** Where the log of a server goes. */
export interface LogOutput {
  readonly log: Log
  /** Whether lines wait for a reader that stalls. */
  readonly isBusy: boolean
  /** Whether such a reader also reads standard error: a message there would wait for it. */
  readonly holdsUpMessages: boolean
  /** Resolves when all is written, or when that takes longer than this. */
  flush(longest: Milliseconds): Promise<void>
}

export interface ServerRun {
  readonly source: ConfigSource
  readonly terminal: Terminal
  readonly openLog: () => Promise<LogOutput>
  readonly start?: Pick<StartOptions, 'keepsPidFile' | 'dryRun' | 'receiverSocket' | 'helperSocket'>
  /** Gets the news as well as the service manager does. */
  readonly manager?: ServiceManager
  /** What `ps` shows. */
  readonly title?: string
  /**
   * How SIGHUP makes a changed configuration count. In place: what is open stays, and some settings need a restart. By
   * a new start in the same process: as fwknopd does it, every setting counts.
   */
  readonly reloadsBy?: 'in place' | 'a new start'
  /** Called before the end with a failure, which the terminal then shows. */
  readonly onFailed?: (failure: Failure) => void
  /** Called after a reload that was not refused. */
  readonly onReloaded?: () => void
  /** Called when the server has started, and is not yet ready: after a new start, again. */
  readonly onStarted?: (warden: Warden) => void
}

/** How long the last lines may take to be read. */
const LAST_LINES_TIME = milliseconds(1000)

export async function runServer(run: ServerRun): Promise<Outcome> {
  // First of all: without a listener, these signals end the process, in the midst of its start.
  const toldToStop = stopSignal()
  let reload: (() => void) | undefined
  let isReloadAsked = false
  process.on('SIGHUP', () => {
    isReloadAsked = true
    reload?.()
  })
  const { closeMemory } = await import('../../system/privilege.ts')
  const shut = await shutInspector()
  if (!shut.ok) return shut
  closeMemory()
  // A rehearsal must not compete with the real server.
  if (run.start?.dryRun !== true) preferWarden()
  const [{ startWarden }, { noServiceManager, serviceManager, bothManagers }, { setV8Options }, { leaveNow }, output] =
    await Promise.all([
      import('../../daemon/warden/start.ts'),
      import('../../daemon/warden/service-manager.ts'),
      import('../../system/v8-options.ts'),
      import('../../system/leave-now.ts'),
      run.openLog(),
    ])
  setProcessTitle(run.title ?? WARDEN_TITLE)
  const { log } = output
  const stopped = toldToStop.then((signal) => void log.write('info', 'signal', { signal }))
  process.on('exit', (status) => {
    if (output.isBusy) leaveNow(status)
  })
  const end = async (failure: Failure | undefined): Promise<never> => {
    if (failure !== undefined) {
      manager.tell(describeFailure(failure))
      run.onFailed?.(failure)
    }
    await output.flush(LAST_LINES_TIME)
    if (failure === undefined) return process.exit(0)
    // A message to a reader that stalls would wait for it.
    const isHeard = !output.isBusy || !output.holdsUpMessages
    return process.exit(isHeard ? run.terminal.fail(failure) : failureKinds[failure.code].exit)
  }
  const found = serviceManager(process.env)
  if (!found.ok) log.write('error', 'notice', failureFields(found.failure))
  const ofSystem = found.ok ? found.value : noServiceManager
  const manager = run.manager === undefined ? ofSystem : bothManagers(ofSystem, run.manager)
  const start = () => startWarden(run.source, log, systemClock, { manager, ...run.start })
  const started = await start()
  if (!started.ok) return end(started.failure)
  let warden = started.value
  const ended = () => Promise.race([stopped, warden.hopeless, warden.finished])
  let wake: (() => void) | undefined
  let isNewStartAsked = false
  reload = () => {
    log.write('info', 'signal', { signal: 'SIGHUP' })
    if (run.reloadsBy === 'a new start') {
      isNewStartAsked = true
      wake?.()
    } else if (warden.reload().ok) run.onReloaded?.()
  }
  // The files may have been read before that signal.
  if (isReloadAsked) reload()
  // While the receiver starts there is time for this.
  storeCompiledCode()
  // With less compiled code, the relay would take a third fewer connections.
  if (!warden.carriesConnections) setV8Options('warden')
  run.onStarted?.(warden)
  for (;;) {
    const asked = new Promise<'start again'>((resolve) => {
      wake = () => resolve('start again')
      // The files may have changed since the last start read them.
      if (isNewStartAsked) wake()
    })
    const why = await Promise.race([ended(), asked])
    if (why !== 'start again') {
      await warden.stop()
      return end(why)
    }
    isNewStartAsked = false
    if (!warden.mayStartAgain()) continue
    await warden.stop({ again: true })
    const next = await start()
    if (!next.ok) return end(next.failure)
    warden = next.value
    run.onReloaded?.()
    run.onStarted?.(warden)
  }
}
