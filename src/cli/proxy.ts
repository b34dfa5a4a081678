/**
 * `ghostport proxy HOST PORT`: knock, wait, and splice the very connection that found the door open: a ProxyCommand.
 */

import { doorFor, parseWait } from '../client/wait-plan.ts'
import { refuse } from '../result.ts'
import { parsePort } from '../units.ts'
import { defineCommand, type Outcome } from './command.ts'
import { knockOptions } from './knock/knock-flags.ts'
import { openDoor } from './knock/open-door.ts'
import { planKnock } from './knock/plan-from-flags.ts'
import { waitOptions } from './knock/wait-flags.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = { ...knockOptions, ...waitOptions } as const

export const command = defineCommand({
  options,
  operands: { required: ['HOST', 'PORT'] },
  about: [
    'Knocks as “ghostport knock” does, waits until the port is open, connects, and passes bytes between the connection and',
    'standard input and output. For ~/.ssh/config, with a stanza [myserver] in ~/.fwknoprc:',
    '',
    '    Host myserver',
    '        ProxyCommand ghostport proxy %n %p',
    '',
    'HOST names a stanza of the rc file, or the SPA_SERVER of exactly one. ssh writes the name that you typed for %n, and its',
    'HostName setting for %h. Without a stanza, a -D or an -A, it asks HOST for tcp/PORT.',
  ],
  run,
})

async function run(
  { options: given, operands }: ParsedCommandLine<typeof options>,
  terminal: Terminal,
): Promise<Outcome> {
  const [host = '', portText = ''] = operands
  const port = parsePort(portText)
  if (!port.ok) return port
  if (given.stdin > 0 || Number(given.fd) === 0)
    return refuse('CLI_USAGE', 'the connection uses standard input, so no key can come from there', {
      suggestion: '--fd 3',
    })

  const wish = parseWait(given)
  if (!wish.ok) return wish
  const wanted = { protocol: 'tcp', port: port.value } as const
  const planned = await planKnock(given, terminal, {
    stanza: { word: host, required: false, otherwise: 'ProxyCommand ghostport proxy %n %p' },
    fallback: { server: host, access: [wanted] },
  })
  if (!planned.ok) return planned
  const { request } = planned.value.plan
  const wait = doorFor(planned.value.plan, wish.value)
  if (!wait.ok) return wait
  // With NAT the public port is where the service is; without it, a door that is not asked for will not open.
  const direct = request.kind === 'access'
  if (direct && !request.ports.some((it) => it.protocol === 'tcp' && it.port === port.value)) {
    const detail = `the knock does not ask for tcp/${port.value}`
    return refuse('CLI_USAGE', detail, { suggestion: `-A tcp/${port.value}` })
  }
  const opened = await openDoor(planned.value, { ...wait.value, ...(direct ? { port: port.value } : {}) }, terminal)
  if (typeof opened === 'number') return opened
  return splice(opened.socket)
}

/** Bytes both ways until the far end has said its last. @returns 0, or 1 where the connection broke. */
function splice(socket: import('node:net').Socket): Promise<number> {
  return new Promise((resolve) => {
    let broken = false
    socket.on('error', () => {
      broken = true
      socket.destroy()
    })
    // The reader is gone: no bytes can be handed on.
    process.stdout.on('error', () => socket.destroy())
    socket.once('close', () => {
      process.stdin.destroy()
      resolve(broken ? 1 : 0)
    })
    process.stdin.on('error', () => socket.end())
    process.stdin.pipe(socket)
    // Not ended by us: standard output flushes and closes when the process does.
    socket.pipe(process.stdout, { end: false })
    // The far end's last word ends it; what is left of standard input would have no reader.
    socket.once('end', () => socket.end())
  })
}
