/** The server of `fwknopd`, in the foreground or in the background. */

import { describeOpening } from '../../access/grant.ts'
import { type ConfigSource, type LoadedConfig, loadServerConfig } from '../../config/load.ts'
import type { FirewallConfig } from '../../config/server/firewall-settings.ts'
import type { ServerConfig } from '../../config/server/server-config.ts'
import { diskFiles } from '../../daemon/warden/config-files-on-disk.ts'
import { nameOf, RuleEnds } from '../../daemon/warden/rule-ends.ts'
import { noServiceManager } from '../../daemon/warden/service-manager.ts'
import { failureFields, type Log } from '../../log.ts'
import { ok, type Result } from '../../result.ts'
import { FWKNOPD_TITLE } from '../../system/own-process.ts'
import { type PidFile, type PidFileFailure, takePidFile } from '../../system/pid-file.ts'
import { DEV_LOG } from '../../system/syslog-writer.ts'
import type { Outcome } from '../command.ts'
import { type LogOutput, runServer } from '../server/run-server.ts'
import { internalFailure } from '../terminal/last-resort.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { tellReady } from './background.ts'
import { wordsOfFwknopd } from './fault-words.ts'
import { type LineLog, type LineLogSettings, lineLog } from './line-log.ts'
import type { RulePlaces } from './log-lines.ts'
import type { Given } from './options.ts'

export type Ground = 'foreground' | 'background'

export async function serve(
  given: Given,
  source: ConfigSource,
  loaded: LoadedConfig,
  ground: Ground,
  terminal: Terminal,
): Promise<Outcome> {
  // A folder that somebody wants to unmount is not held.
  if (ground === 'background') process.chdir('/')
  const taken = takeOrTell(loaded.server.pidFile ?? '', terminal)
  if (!taken.ok) return taken
  if (taken.value === undefined) return 1
  const to = { standardError: ground === 'foreground', syslog: ground === 'background' || given['syslog-enable'] > 0 }
  const output = lineLog({ to, settings: settingsOf(loaded.server, loaded.texts) })
  // In the background, nobody reads standard error.
  if (ground === 'background')
    process.on('uncaughtExceptionMonitor', (error) =>
      output.log.write('error', 'fault', failureFields(internalFailure(error))),
    )
  if (given['rotate-digest-cache'] > 0) {
    output.log.write('info', 'notice', { text: 'Rotating digest cache file.' })
    const { rotateDigestCache } = await import('./digest-cache.ts')
    const rotated = await rotateDigestCache(loaded.server)
    if (!rotated.ok) return rotated
  }
  let isReady = false
  const onReady = (): void => {
    if (isReady || ground === 'foreground') return
    isReady = true
    if (output.isUnheard)
      terminal.note(`warning: nothing listens at ${DEV_LOG}, so the log is lost. -f logs to standard error.`)
    tellReady()
  }
  const ends = new RuleEnds(output.log, undefined, { marksRenewals: true })
  return runServer({
    source,
    terminal,
    title: FWKNOPD_TITLE,
    reloadsBy: 'a new start',
    start: { keepsPidFile: true, dryRun: given.test > 0 },
    manager: { ...noServiceManager, ready: onReady },
    openLog: async () => {
      output.log.write('info', 'starting')
      for (const option of ['no-ipt-check-support', 'no-firewd-check-support'] as const)
        if (given[option] > 0)
          output.log.write('info', 'notice', {
            text: `--${option} has no effect: -C of the firewall program is not used`,
          })
      if (ground === 'foreground' && loaded.server.lines.verbosity >= 2) await showConfig(source, loaded, output.log)
      return withLog(output, await showingRules(loaded.server, ends))
    },
    onStarted: (warden) => {
      ends.begin(async () => {
        const live = await warden.liveGrants()
        return live && new Set(live.map(({ source, openings }) => nameOf(source, openings.map(describeOpening).join())))
      })
    },
    onFailed: (failure) => {
      const words = wordsOfFwknopd(failure)
      if (words !== undefined) terminal.note(`[*] ${words}`)
      if (ground === 'background') output.log.write('error', 'stopped', failureFields(failure))
    },
    onReloaded: () => {
      ends.forget()
      reread(source, output)
      output.log.write('info', 'restarted')
    },
  })
}

/** fwknopd shows what it has read with `-f -v -v`. */
async function showConfig(source: ConfigSource, loaded: LoadedConfig, log: Log): Promise<void> {
  const { configLines } = await import('./dump-config.ts')
  const lines = configLines(loaded, diskFiles(process.getuid?.() ?? 0), source)
  if (lines.ok) log.write('info', 'configuration', { lines: lines.value })
}

/** fwknopd shows its rules with `-v -v`. */
async function showingRules({ lines, firewall }: ServerConfig, log: Log): Promise<Log> {
  if (lines.verbosity < 2 || firewall.kind !== 'iptables') return log
  const { ShownRules } = await import('./shown-rules.ts')
  const { listRules } = await import('../../daemon/warden/open-firewall.ts')
  return new ShownRules(log, async () => {
    const listed = await listRules(firewall, 'commands')
    return listed.ok ? listed.value : undefined
  })
}

/** The output, and a log that is written before it. */
function withLog(output: LineLog, log: Log): LogOutput {
  return {
    log,
    get isBusy() {
      return output.isBusy
    },
    holdsUpMessages: output.holdsUpMessages,
    flush: (longest) => output.flush(longest),
  }
}

/** @returns undefined if another fwknopd runs, which is told. */
function takeOrTell(path: string, terminal: Terminal): Result<PidFile | undefined, PidFileFailure> {
  const taken = takePidFile(path)
  if (!taken.ok) return taken
  if (!('runs' in taken.value)) return ok(taken.value)
  terminal.note(`[*] An instance of fwknopd is already running: (PID=${taken.value.pid ?? 'unknown'}).`)
  return ok(undefined)
}

/** What the log itself depends on. */
function reread(source: ConfigSource, output: LineLog): void {
  const read = loadServerConfig(diskFiles(process.getuid?.() ?? 0), source)
  if (read.ok) output.change(settingsOf(read.value.config, read.value.texts))
}

function settingsOf(
  {
    lines,
    firewall,
    packetLimit,
    refusalsPerSecond,
  }: Pick<ServerConfig, 'lines' | 'firewall' | 'packetLimit' | 'refusalsPerSecond'>,
  texts: LoadedConfig['texts'],
): LineLogSettings {
  return {
    verbosity: lines.verbosity,
    syslog: lines,
    context: { places: placesOf(firewall), filter: texts['PCAP_FILTER'], packetLimit },
    refusalsPerSecond,
  }
}

/** All rules of an nftables table are in that table. */
export function placesOf(firewall: FirewallConfig): RulePlaces {
  if (firewall.kind === 'iptables') {
    const { input, forward, dnat, snat, masquerade } = firewall.chains
    return {
      table: input.table,
      access: input.chain,
      forward: forward.chain,
      dnat: dnat.chain,
      snat: snat.chain,
      masquerade: masquerade.chain,
    }
  }
  const place = firewall.kind === 'nftables' ? `inet ${firewall.table}` : firewall.kind
  return { access: place, forward: place, dnat: place, snat: place, masquerade: place }
}
