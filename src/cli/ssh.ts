/** `ghostport ssh HOST`: knock, wait for the door, then the real ssh, to the port that opened. */
import { doorFor, parseWait } from '../client/wait-plan.ts'
import { ok, refuse } from '../result.ts'
import { defineCommand, type Outcome } from './command.ts'
import { knockOptions } from './knock/knock-flags.ts'
import { openDoor } from './knock/open-door.ts'
import { planKnock } from './knock/plan-from-flags.ts'
import { runProgram } from './knock/run-program.ts'
import { askSsh, namesPort, parseDestination } from './knock/ssh-config.ts'
import { choosePort, leadSsh, sshName } from './knock/ssh-route.ts'
import { waitOptions } from './knock/wait-flags.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = { ...knockOptions, ...waitOptions } as const

export const command = defineCommand({
  options,
  operands: {
    required: ['[USER@]HOST'],
    rest: 'ssh’s own options and command',
    otherOptions: 'ssh’s own options go after the host: ghostport ssh HOST -i KEY',
  },
  about: [
    'Knocks as “ghostport knock” does, waits until the port is open, and runs ssh, to the address and the port that opened.',
    'HOST names a stanza of the rc file, or the SPA_SERVER of exactly one. Without a stanza, a -D or an -A, ghostport asks HOST',
    'for the port that ssh would use. ghostport’s options go before HOST, and ssh’s own after it: there, -p is the port of ssh.',
  ],
  run,
})

async function run(
  { options: given, operands }: ParsedCommandLine<typeof options>,
  terminal: Terminal,
): Promise<Outcome> {
  const [destination = '', ...rest] = operands
  if (destination.startsWith('-')) return refuse('CLI_USAGE', `“${destination}” is not a host: it begins with a dash`)
  const wish = parseWait(given)
  if (!wish.ok) return wish

  const { host, namesPort: inDestination } = parseDestination(destination)
  const asked = await askSsh(host, [destination, ...rest])
  if (!asked.ok) {
    terminal.note(asked.says.split('\n'))
    return asked.status
  }
  const { config } = asked
  const planned = await planKnock(given, terminal, {
    stanza: { word: host, required: false, server: config.hostname },
    fallback: {
      server: config.hostname,
      access: [{ protocol: 'tcp', port: config.port }],
      ...(config.family === undefined ? {} : { family: config.family }),
    },
  })
  if (!planned.ok) return planned
  const { plan, settings, world } = planned.value
  if (config.family !== undefined && settings.family !== config.family) {
    const detail = `ssh is told to use IPv${config.family}, but the knock is sent only over IPv${settings.family}`
    return refuse('CLI_USAGE', detail, { suggestion: `-${config.family} before HOST` })
  }
  const named = config.port !== 22 || inDestination || namesPort(rest)
  const port = choosePort(plan.request, { port: config.port, named })
  if (!port.ok) return port
  const wait = doorFor(planned.value.plan, wish.value)
  if (!wait.ok) return wait

  const opened = await openDoor(planned.value, { ...wait.value, port: port.value }, terminal)
  if (typeof opened === 'number') return opened
  // ssh makes its own connection: handing ours on is what “ghostport proxy” is for.
  opened.socket.destroy()

  const { server } = plan
  const name = sshName(host, config, server)
  const found = name === server ? ok(opened.addresses) : await world.resolve(name, settings.family)
  const addresses = found.ok ? found.value : []
  // An inner host behind NAT is somewhere else by its nature.
  if (!config.proxied && plan.request.kind !== 'natAccess' && !addresses.includes(opened.address))
    terminal.note(
      `ghostport: ssh connects to ${opened.address}, which the knock opened; your HostName ${name} has another address`,
    )
  const { address } = opened
  const lead = leadSsh(host, config, { server, addresses: opened.addresses, address, port: port.value }, addresses)
  const family = settings.family === undefined ? [] : [`-${settings.family}`]
  return runProgram('ssh', ['-p', String(port.value), ...family, ...lead, destination, ...rest], terminal)
}
