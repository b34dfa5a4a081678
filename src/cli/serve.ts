/** `ghostport serve`: the server, in the foreground. */
import { fstatSync } from 'node:fs'
import type { ConfigSource } from '../config/load.ts'
import { ok, refuse } from '../result.ts'
import { defineCommand, type Outcome } from './command.ts'
import { configFileOptions, configFiles, fromHere } from './server/config-source.ts'
import type { LogOutput, ServerRun } from './server/run-server.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = {
  ...configFileOptions,
  interface: {
    short: 'i',
    value: 'NAMES',
    help: 'listen on these interfaces: a name, several between commas, or any (PCAP_INTF)',
  },
  'udp-server': { short: 'U', help: 'listen on a plain UDP port instead of capturing (CAPTURE udp)' },
  'pcap-file': { value: 'FILE', help: 'read packets from a capture file, and end (PCAP_FILE)' },
  'packet-limit': { short: 'C', value: 'NUMBER', help: 'end after this many packets (PACKET_LIMIT)' },
  'exit-parse-config': { help: 'read the configuration, say what is wrong with it, and end' },
  'fw-flush': { help: 'remove ghostport’s nftables table and every grant, say what is open or shut then, and end' },
  'dry-run': {
    help: 'judge packets and log each verdict, but open, record and run nothing; another server may run beside it',
  },
  'receiver-socket': {
    value: 'PATH',
    help: 'have systemd start the receiver, by its socket; without such a socket the server starts it',
  },
  'helper-socket': {
    value: 'PATH',
    help: 'have systemd start what looks up names, runs gpg and delivers webhooks, by this socket',
  },
  foreground: { short: 'f', help: 'no effect: ghostport always stays in the foreground' },
  verbose: { short: 'v', repeatable: true, help: 'no effect: the log already has everything' },
} as const

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
  if (given['dry-run'] > 0 && given['fw-flush'] > 0)
    return refuse('CLI_USAGE', '--dry-run and --fw-flush cannot be used together')
  const files = configFiles(given)
  if (!files.ok) return files
  const pcapFile = given['pcap-file'] === undefined ? ok(undefined) : fromHere(given['pcap-file'])
  if (!pcapFile.ok) return pcapFile
  const source: ConfigSource = {
    ...files.value,
    overrides: [
      ...(given.interface === undefined ? [] : [{ name: 'PCAP_INTF', value: given.interface, flag: '-i' } as const]),
      ...(pcapFile.value === undefined
        ? []
        : [{ name: 'PCAP_FILE', value: pcapFile.value, flag: '--pcap-file' } as const]),
      ...(given['packet-limit'] === undefined
        ? []
        : [{ name: 'PACKET_LIMIT', value: given['packet-limit'], flag: '-C' } as const]),
      ...(given['udp-server'] === 0 ? [] : [{ name: 'CAPTURE', value: 'udp', flag: '-U' } as const]),
    ],
  }
  const sockets = { receiverSocket: given['receiver-socket'], helperSocket: given['helper-socket'] }
  for (const [flag, path] of [
    ['--receiver-socket', sockets.receiverSocket],
    ['--helper-socket', sockets.helperSocket],
  ] as const)
    if (path !== undefined && !path.startsWith('/'))
      return refuse('VALUE_INVALID', `${flag}: ${path}: needs a path from the root`)
  if (given['exit-parse-config'] > 0) {
    const { checkConfiguration } = await import('./server/check-configuration.ts')
    return checkConfiguration(source, terminal, sockets.receiverSocket)
  }
  if (given['fw-flush'] > 0) {
    const { flushFirewall } = await import('./server/flush-firewall.ts')
    return flushFirewall(source, terminal)
  }
  return runServe(source, { dryRun: given['dry-run'] > 0, ...sockets }, terminal)
}

/** Runs it until it is stopped. */
export async function runServe(
  source: ConfigSource,
  start: NonNullable<ServerRun['start']>,
  terminal: Terminal,
): Promise<Outcome> {
  const { runServer } = await import('./server/run-server.ts')
  return runServer({ source, terminal, openLog: logToStandardOutput, start })
}

async function logToStandardOutput(): Promise<LogOutput> {
  const { logToOutput } = await import('./terminal/output-log.ts')
  const { log, output } = logToOutput()
  return {
    log,
    get isBusy() {
      return output.isBusy
    },
    holdsUpMessages: isSameFile(1, 2),
    flush: (longest) => output.flush(longest),
  }
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
