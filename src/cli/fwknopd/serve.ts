/** `fwknopd -f`: the server in the foreground. */
import type { ConfigSource, LoadedConfig } from '../../config/load.ts'
import type { FirewallConfig } from '../../config/server/firewall-settings.ts'
import { ok, type Result } from '../../result.ts'
import { type PidFile, type PidFileFailure, takePidFile } from '../../system/pid-file.ts'
import type { Outcome } from '../command.ts'
import { runServer } from '../server/run-server.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { lineLog } from './line-log.ts'
import type { RulePlaces } from './log-lines.ts'
import type { Given } from './options.ts'

export async function serveInForeground(
  given: Given,
  source: ConfigSource,
  loaded: LoadedConfig,
  terminal: Terminal,
): Promise<Outcome> {
  const taken = takeOrTell(loaded.server.pidFile ?? '', terminal)
  if (!taken.ok) return taken
  if (taken.value === undefined) return 1
  return runServer({
    source,
    terminal,
    start: { keepsPidFile: true },
    openLog: async () => {
      const output = lineLog({
        verbosity: verbosityOf(given, loaded),
        context: { places: placesOf(loaded.server.firewall), filter: loaded.texts['PCAP_FILTER'] },
      })
      output.log.write('info', 'starting')
      return output
    },
  })
}

/** @returns undefined if another fwknopd runs, which is told. */
export function takeOrTell(path: string, terminal: Terminal): Result<PidFile | undefined, PidFileFailure> {
  const taken = takePidFile(path)
  if (!taken.ok) return taken
  if (!('runs' in taken.value)) return ok(taken.value)
  terminal.note(`[*] An instance of fwknopd is already running: (PID=${taken.value.pid ?? 'unknown'}).`)
  return ok(undefined)
}

export function verbosityOf(given: Pick<Given, 'verbose'>, { texts }: Pick<LoadedConfig, 'texts'>): number {
  const [digits = '0'] = /^[0-9]{1,3}$/.exec(texts['VERBOSE'] ?? '') ?? []
  return Number(digits) + given.verbose
}

/** All rules of an nftables table are in that table. */
export function placesOf(firewall: FirewallConfig): RulePlaces {
  const place = firewall.kind === 'nftables' ? `inet ${firewall.table}` : firewall.kind
  return { access: place, forward: place, dnat: place, snat: place, masquerade: place }
}
