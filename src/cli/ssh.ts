/** `ghostport ssh HOST`: knock, wait for the door, then the real ssh, to the port that opened. */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { refuse } from '../result.ts'
import { port } from '../units.ts'
import { knockOptions } from './knock-options.ts'
import { planKnock } from './knock-plan.ts'
import { openDoor } from './open-door.ts'
import { parseCommandLine } from './options.ts'
import type { Terminal } from './terminal.ts'
import { doorFor, parseWait, waitOptions } from './wait-options.ts'

const options = { ...knockOptions, ...waitOptions } as const

const operandRule = {
  names: ['HOST'],
  rest: 'ARGUMENTS',
  otherOptions: 'ssh’s own options go after the host: ghostport ssh HOST -i KEY',
} as const

const help = {
  usage: 'ghostport ssh [options] [USER@]HOST [ssh’s own options and command]',
  about: [
    'Knocks as “ghostport knock” does, with the stanza of the rc file that is named HOST, if there is one; waits until the',
    'door is open; and runs ssh, to the public port where the knock asked for NAT. Without a stanza, a -D or an -A, it asks',
    'HOST for tcp/22. What follows HOST is ssh’s own.',
  ],
  table: options,
} as const

export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  const parsed = parseCommandLine(options, operandRule, argv)
  if (!parsed.ok) return terminal.fail(parsed.failure)
  const { options: given, operands } = parsed.value
  if (given.help > 0) {
    const { commandHelp } = await import('./command-help.ts')
    terminal.print(commandHelp(help, terminal.style))
    return 0
  }
  const [destination, ...rest] = operands
  if (destination === undefined) return terminal.fail(refuse('CLI_USAGE', 'say where to: ghostport ssh HOST').failure)
  const host = destination.slice(destination.lastIndexOf('@') + 1)

  const wish = parseWait(given)
  if (!wish.ok) return terminal.fail(wish.failure)
  const fallback = { server: host, access: [{ protocol: 'tcp', port: port(22) }] } as const
  const planned = await planKnock(given, terminal, { stanza: { word: host, required: false }, fallback })
  if (!planned.ok) return terminal.fail(planned.failure)
  const wait = doorFor(planned.value, wish.value)
  if (!wait.ok) return terminal.fail(wait.failure)
  const opened = await openDoor(planned.value, wait.value, terminal)
  if (typeof opened === 'number') return opened
  // ssh makes its own connection: handing ours on is what “ghostport proxy” is for.
  opened.socket.destroy()

  const { server } = planned.value.plan
  const { family } = planned.value.settings
  return runSsh(
    [
      '-p',
      String(wait.value.port),
      ...(family === undefined ? [] : [`-${family}`]),
      // HOST may be a stanza's name that no resolver knows; the door is open where the knock went.
      ...(server.toLowerCase() === host.toLowerCase() ? [] : ['-o', `HostName=${server}`]),
      destination,
      ...rest,
    ],
    terminal,
  )
}

/** @returns ssh's exit status; 128 and the signal's number where one ended it; 127 where there is no ssh, as a shell says. */
function runSsh(argv: readonly string[], terminal: Terminal): Promise<number> {
  return new Promise((resolve) => {
    const ssh = spawn('ssh', argv, { stdio: 'inherit' })
    // The terminal sends Ctrl-C to both; it is ssh's to act on. What is sent to us alone is passed on.
    const ignore = (): void => {}
    const pass = (signal: NodeJS.Signals): void => void ssh.kill(signal)
    process.on('SIGINT', ignore).on('SIGQUIT', ignore).on('SIGTERM', pass).on('SIGHUP', pass)
    ssh.once('error', (error) => {
      terminal.note(`ghostport: ssh cannot be started: ${error.message}`)
      resolve(127)
    })
    ssh.once('exit', (status, signal) => resolve(status ?? 128 + (signal === null ? 0 : constants.signals[signal])))
  })
}
