/** What `fwknopd` does, by its command line. */
import type { ConfigSource } from '../../config/load.ts'
import { loadConfig, loadServerConfig } from '../../config/load.ts'
import type { SettingOverride } from '../../config/server/parse-fwknopd-conf.ts'
import { diskFiles } from '../../daemon/warden/config-files-on-disk.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { Outcome } from '../command.ts'
import { DEFAULT_CONFIG, fromHere } from '../server/config-source.ts'
import { getopt } from '../terminal/getopt.ts'
import { optionHelp } from '../terminal/option-help.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { fwknopdOptions, type Given, pathOptions, switchOf, variableOf } from './options.ts'
import type { Ground } from './serve.ts'

/**
 * @param ground where this process is. One in the foreground starts the server in the background, unless told
 * otherwise.
 * @returns the exit status.
 */
export async function runFwknopd(
  argv: readonly string[],
  terminal: Terminal,
  ground: Ground = 'foreground',
): Promise<number> {
  const line = getopt(fwknopdOptions, argv)
  if (!line.ok) return terminal.fail(line.failure)
  const { options, operands } = line.value
  const outcome = await run({ given: options, operands, argv, ground }, terminal)
  if (typeof outcome === 'number') return outcome
  return (await import('./faults.ts')).tellFault(outcome.failure, terminal)
}

interface Line {
  readonly given: Given
  readonly operands: readonly string[]
  /** The words as they came. */
  readonly argv: readonly string[]
  readonly ground: Ground
}

/** In fwknopd’s order: what needs no configuration, then what needs only the server’s own files, then the rest. */
async function run({ given, operands, argv, ground }: Line, terminal: Terminal): Promise<Outcome> {
  if (given.version > 0) return (await import('./simple.ts')).printVersion(terminal)
  if (given['key-gen'] > 0 || given['key-gen-file'] !== undefined)
    return (await import('../keygen.ts')).makeKeysAsFwknop(given, terminal)
  if (given.help > 0) {
    showHelp(terminal)
    return 0
  }
  const [stray] = operands
  if (stray !== undefined) return refuse('CLI_USAGE', `unexpected argument “${stray}”`)
  const unusable = contradiction(given)
  if (!unusable.ok) return unusable
  if (given['dump-serv-err-codes'] > 0) return (await import('./simple.ts')).printFailureCodes(terminal)
  const user = process.getuid?.() ?? 0
  const source = sourceOf(given)
  if (!source.ok) return source
  if (given.kill > 0 || given.restart > 0 || given.status > 0) {
    const server = loadServerConfig(diskFiles(user), source.value)
    if (!server.ok) return server
    const { controlRunning } = await import('./running.ts')
    return controlRunning(given, server.value.config.pidFile ?? '', terminal)
  }
  if (given['fw-list'] > 0 || given['fw-list-all'] > 0)
    return (await import('./list-rules.ts')).showRules(
      source.value,
      given['fw-list-all'] > 0 ? 'all' : 'ours',
      terminal,
    )
  if (given['fw-flush'] > 0) {
    terminal.print('Deleting any existing firewall rules...')
    const { flushFirewall } = await import('../server/flush-firewall.ts')
    return flushFirewall(source.value, terminal)
  }
  const loaded = loadConfig(diskFiles(user), source.value)
  if (!loaded.ok)
    return (await import('./faults.ts')).tellFaults(diskFiles(user), source.value, loaded.failure, terminal)
  const { checkInterfaces, checkLocale, checkRunFolder } = await import('./host-faults.ts')
  checkLocale(loaded.value.texts['LOCALE'], (line) => terminal.note(`[*] ${line}`))
  if (pathsToCheck.some((option) => given[option] !== undefined)) {
    const { checkNamedPaths } = await import('./named-paths.ts')
    const named = checkNamedPaths(given)
    if (!named.ok) return named
  }
  if (given['dump-config'] > 0) {
    const { tellNotices } = await import('./faults.ts')
    tellNotices(
      loaded.value.notices.filter(({ level }) => level === 'warning'),
      terminal,
    )
    return (await import('./dump-config.ts')).dumpConfig(loaded.value, diskFiles(user), source.value, terminal)
  }
  if (given['exit-parse-config'] > 0) {
    const { tellNotices } = await import('./faults.ts')
    tellNotices(loaded.value.notices, terminal)
    terminal.note('Configs parsed, exiting.')
    return 0
  }
  if (given['exit-parse-digest-cache'] > 0) {
    const { checkDigestCache, rotateDigestCache } = await import('./digest-cache.ts')
    const rotated = given['rotate-digest-cache'] > 0 ? await rotateDigestCache(loaded.value.server) : undefined
    if (rotated?.ok === false) return rotated
    return checkDigestCache(loaded.value.server, terminal)
  }
  for (const checked of [checkRunFolder(loaded.value.texts['FWKNOP_RUN_DIR']), checkInterfaces(loaded.value.server)])
    if (!checked.ok) return checked
  if (ground === 'foreground' && given.foreground === 0)
    return (await import('./background.ts')).startInBackground(argv, terminal)
  const { serve } = await import('./serve.ts')
  return serve(given, source.value, loaded.value, ground, terminal)
}

/** What they name must be there, even if nothing uses it. */
const pathsToCheck = ['gpg-exe', 'sudo-exe', 'gpg-home-dir'] as const satisfies readonly (keyof Given)[]

const REFUSED = {
  'afl-fuzzing': 'it is for fwknop’s own tests',
  'afl-pkt-file': 'it is for fwknop’s own tests',
  'fault-injection-tag': 'it is for fwknop’s own tests',
} as const

function contradiction(given: Given): Result<void, Failure<'CLI_USAGE'>> {
  for (const [name, why] of Object.entries(REFUSED) as [keyof typeof REFUSED, string][])
    if (Number(given[name]) > 0 || typeof given[name] === 'string')
      return refuse('CLI_USAGE', `--${name} is refused: ${why}`)
  const exclusive = (['kill', 'restart', 'status', 'dump-config'] as const).filter((name) => given[name] > 0)
  if (exclusive.length > 1) return refuse('CLI_USAGE', `--${exclusive.join(' and --')} cannot be used together`)
  return ok(undefined)
}

/** Where the configuration is, by the command line. */
function sourceOf(given: Given): Result<ConfigSource, Failure<'CONFIG_UNREADABLE' | 'CLI_USAGE'>> {
  const server = fromHere(given['config-file'] ?? DEFAULT_CONFIG)
  if (!server.ok) return server
  const access = fromHere(given['access-file'] ?? '/')
  if (!access.ok) return access
  const here = fromHere('.')
  if (!here.ok) return here
  const moreServerFiles: string[] = []
  for (const file of given['override-config']?.split(',').filter((name) => name !== '') ?? []) {
    const path = fromHere(file)
    if (!path.ok) return path
    moreServerFiles.push(path.value)
  }
  const overrides: SettingOverride[] = []
  for (const [option, name] of Object.entries(variableOf) as [keyof typeof variableOf, string][]) {
    const value = given[option]
    if (value === undefined) continue
    // For fwknopd, no limit.
    if (option === 'packet-limit' && value === '0') continue
    if (value === '') return refuse('CLI_USAGE', `${flagOf(option)} needs a value`)
    const path = (pathOptions as readonly string[]).includes(option) ? fromHere(value) : ok(value)
    if (!path.ok) return path
    overrides.push({ name, value: path.value, flag: flagOf(option) })
  }
  for (const [option, [name, value]] of Object.entries(switchOf) as [
    keyof typeof switchOf,
    readonly [string, string],
  ][])
    if (given[option] > 0) overrides.push({ name, value, flag: flagOf(option) })
  return ok({
    server: server.value,
    ...(given['access-file'] !== undefined && { access: access.value }),
    overrides,
    moreServerFiles,
    dialect: 'fwknopd',
    workingFolder: here.value,
    verbose: given.verbose,
  })
}

function flagOf(option: keyof typeof fwknopdOptions): string {
  const spec = fwknopdOptions[option]
  return 'short' in spec ? `-${spec.short}` : `--${option}`
}

function showHelp(terminal: Terminal): void {
  const { shown } = optionHelp(fwknopdOptions, terminal.style)
  terminal.print([
    'usage: fwknopd [options]',
    '',
    'The server of ghostport, behind the command line of fwknopd. It reads fwknopd.conf and access.conf, goes to the',
    'background, and logs to syslog in the words of fwknopd.',
    '',
    ...shown,
    '',
    'Exit status: 0, or 1 for any failure. docs/FWKNOP-COMMANDS.md says what differs from fwknopd.',
  ])
}
