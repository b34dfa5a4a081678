/** `ghostport serve`: the server, in the foreground. */
import { fstatSync } from 'node:fs'
import { resolve } from 'node:path'
import { systemClock } from '../clock.ts'
import type { ConfigSource } from '../config/load.ts'
import { failureKinds } from '../failure-codes.ts'
import { failureFields, jsonLog } from '../log.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { setProcessTitle, shutInspector, WARDEN_TITLE } from '../system/own-process.ts'
import { milliseconds } from '../units.ts'
import { defineCommand, type Outcome } from './command.ts'
import { storeCompiledCode } from './compile-cache.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import { describeFailure, type Terminal } from './terminal/terminal.ts'

const options = {
  'config-file': { short: 'c', value: 'FILE', help: 'the server’s settings (/etc/fwknop/fwknopd.conf)' },
  'access-file': { short: 'a', value: 'FILE', help: 'the stanzas (ACCESS_FILE, or access.conf beside the settings)' },
  interface: {
    short: 'i',
    value: 'NAMES',
    help: 'listen on these interfaces: a name, several between commas, or any (PCAP_INTF)',
  },
  'udp-server': { short: 'U', help: 'listen on a plain UDP port instead of capturing (CAPTURE udp)' },
  'exit-parse-config': { help: 'read the configuration, say what is wrong with it, and end' },
  'fw-flush': { help: 'remove ghostport’s nftables table and every grant, say what is open or shut then, and end' },
  foreground: { short: 'f', help: 'no effect: ghostport always stays in the foreground' },
  verbose: { short: 'v', repeatable: true, help: 'no effect: the log already has everything' },
} as const

/** How long the last lines may take to be read. */
const LAST_LINES_TIME = milliseconds(1000)
const DEFAULT_CONFIG = '/etc/fwknop/fwknopd.conf'

export const command = defineCommand({
  options,
  operands: {},
  about: [
    'Receives knocks and opens ports, until it is stopped. Logs one JSON object a line to standard output; the message',
    '“ready” says that packets are being received. Needs root, except with FIREWALL relay and CAPTURE udp.',
  ],
  after: ['Signals: HUP reads the configuration again; TERM and INT stop it. Live grants survive both.'],
  run,
})

async function run({ options: given }: ParsedCommandLine<typeof options>, terminal: Terminal): Promise<Outcome> {
  if (given['exit-parse-config'] > 0 && given['fw-flush'] > 0)
    return refuse('CLI_USAGE', '--exit-parse-config and --fw-flush cannot be used together')
  const server = fromHere(given['config-file'] ?? DEFAULT_CONFIG)
  if (!server.ok) return server
  const access = fromHere(given['access-file'] ?? '/')
  if (!access.ok) return access
  const source: ConfigSource = {
    server: server.value,
    ...(given['access-file'] !== undefined && { access: access.value }),
    overrides: [
      ...(given.interface === undefined ? [] : [{ name: 'PCAP_INTF', value: given.interface, flag: '-i' } as const]),
      ...(given['udp-server'] === 0 ? [] : [{ name: 'CAPTURE', value: 'udp', flag: '-U' } as const]),
    ],
  }
  if (given['exit-parse-config'] > 0) {
    const { checkConfiguration } = await import('./server/check-configuration.ts')
    return checkConfiguration(source, terminal)
  }
  if (given['fw-flush'] > 0) {
    const { flushFirewall } = await import('./server/flush-firewall.ts')
    return flushFirewall(source, terminal)
  }
  return serve(source, terminal)
}

/** @returns the path from the root; CONFIG_UNREADABLE for a relative one where the working directory is gone. */
function fromHere(path: string): Result<string, Failure<'CONFIG_UNREADABLE'>> {
  try {
    return ok(resolve(path))
  } catch {
    return refuse(
      'CONFIG_UNREADABLE',
      `${path} is relative, but the working directory no longer exists: give the path from /`,
    )
  }
}

async function serve(source: ConfigSource, terminal: Terminal): Promise<Outcome> {
  // First of all: without a listener, this signal ends the process.
  let reload: (() => void) | undefined
  let isReloadAsked = false
  process.on('SIGHUP', () => {
    isReloadAsked = true
    reload?.()
  })
  const { closeMemory } = await import('../system/privilege.ts')
  const shut = await shutInspector()
  if (!shut.ok) return shut
  closeMemory()
  const [
    { startWarden },
    { LogWriter },
    { journalPrefix },
    { noServiceManager, serviceManager },
    { staySmall },
    { leaveNow },
  ] = await Promise.all([
    import('../daemon/warden/start.ts'),
    import('../system/log-writer.ts'),
    import('../system/journal-stream.ts'),
    import('../daemon/warden/service-manager.ts'),
    import('../system/stay-small.ts'),
    import('../system/leave-now.ts'),
  ])
  setProcessTitle(WARDEN_TITLE)
  const prefix = journalPrefix(1)
  const output = new LogWriter(1, undefined, prefix)
  process.on('exit', (status) => {
    if (output.isBusy) leaveNow(status)
  })
  const end = async (failure: Failure | undefined): Promise<never> => {
    if (failure !== undefined) manager.tell(describeFailure(failure))
    await output.flush(LAST_LINES_TIME)
    if (failure === undefined) return process.exit(0)
    // A message to a reader that stalls would wait for it.
    const isHeard = !output.isBusy || !isSameFile(1, 2)
    return process.exit(isHeard ? terminal.fail(failure) : failureKinds[failure.code].exit)
  }
  const log = jsonLog(
    (line) => output.line(line),
    () => new Date(),
    prefix,
  )
  const found = serviceManager(process.env)
  if (!found.ok) log.write('error', 'notice', failureFields(found.failure))
  const manager = found.ok ? found.value : noServiceManager
  const started = await startWarden(source, log, systemClock, { manager })
  if (!started.ok) return end(started.failure)
  const warden = started.value
  reload = () => warden.reload()
  const stopped = new Promise<undefined>((stop) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop(undefined))
  })
  // The files may have been read before that signal.
  if (isReloadAsked) reload()
  // While the receiver starts there is time for both.
  storeCompiledCode()
  staySmall('warden')
  const failure = await Promise.race([stopped, warden.hopeless])
  await warden.stop()
  return end(failure)
}

/** Whether two descriptors lead to the same reader. */
function isSameFile(one: number, other: number): boolean {
  try {
    const [a, b] = [fstatSync(one), fstatSync(other)]
    return a.dev === b.dev && a.ino === b.ino
  } catch {
    return false
  }
}
