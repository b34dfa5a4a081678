/** `ghostport exec -- COMMAND`: knock, wait until the door is open, then run the command. */
import { setTimeout as delay } from 'node:timers/promises'
import { isUnicode } from '../bytes/text.ts'
import { performKnock } from '../client/perform.ts'
import { stanzaNames } from '../client/rc-stanza.ts'
import { doorFor, parseWait, type WaitWish } from '../client/wait-plan.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { type Milliseconds, milliseconds } from '../units.ts'
import { defineCommand, type Outcome } from './command.ts'
import { knockOnEach } from './knock/each-stanza.ts'
import { knockFlags, knockOptions } from './knock/knock-flags.ts'
import { openDoor } from './knock/open-door.ts'
import { planKnock } from './knock/plan-from-flags.ts'
import { departures, fieldReport, nextGatewayNote, noteFailure } from './knock/report.ts'
import { runProgram } from './knock/run-program.ts'
import { waitOptions } from './knock/wait-flags.ts'
import type { OptionValues, ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = {
  ...knockOptions,
  ...waitOptions,
  delay: {
    value: 'SECONDS',
    help: 'do not try the port: run the command this long after the knock. For UDP ports, which do not show whether they are open',
  },
} as const

type Given = OptionValues<typeof options>

export const command = defineCommand({
  options,
  operands: {
    required: ['COMMAND'],
    rest: 'the words of the command',
    otherOptions: 'options of the command go after it: ghostport exec -n STANZA -- COMMAND -x',
  },
  about: [
    'Knocks as “ghostport knock” does, waits until the port is open, and runs the command. Its exit status is that of the',
    'command. If the port stays shut, the command does not run. The command finds the open door in the environment variables',
    'GHOSTPORT_ADDRESS and GHOSTPORT_PORT. The stanza is that of -n; with several (-n gateway,inner), all doors have to open.',
  ],
  after: [
    'ghostport exec -n myserver -- rsync -a /home/ myserver:backup/',
    'ghostport exec -n vpn --delay 0.5 -- wg-quick up wg0        a UDP port',
  ],
  run,
})

interface OpenedDoor {
  readonly address: string
  readonly port: number
}

async function run(
  { options: given, operands }: ParsedCommandLine<typeof options>,
  terminal: Terminal,
): Promise<Outcome> {
  const [program = '', ...words] = operands
  if (!operands.every(isUnicode)) return refuse('CLI_USAGE', 'a word of the command is not UTF-8')
  if (given.stdin > 0 || Number(given.fd) === 0)
    return refuse('CLI_USAGE', 'the command uses standard input, so no key can come from there', {
      suggestion: '--fd 3',
    })
  const wish = parseWait(given)
  if (!wish.ok) return wish
  const pause = parseDelay(given)
  if (!pause.ok) return pause

  let door: OpenedDoor | undefined
  const one = async (name: string | undefined): Promise<Outcome> => {
    const flags = name === undefined ? given : { ...given, 'named-config': name }
    const outcome = await knockAndWait(flags, wish.value, pause.value, terminal)
    if (typeof outcome === 'number' || 'ok' in outcome) return outcome
    door = outcome
    return 0
  }
  const names = namesOf(given)
  const status =
    names === undefined ? await one(undefined) : await knockOnEach(names, one, (failure) => terminal.fail(failure))
  if (status !== 0) return status
  const environment: Record<string, string> =
    door === undefined ? {} : { GHOSTPORT_ADDRESS: door.address, GHOSTPORT_PORT: String(door.port) }
  return runProgram(program, words, terminal, environment)
}

/** The stanzas of -n. */
function namesOf(given: Given): readonly string[] | undefined {
  const named = given['named-config']
  const flags = knockFlags(given)
  return named === undefined || !flags.ok ? undefined : stanzaNames(flags.value.options, named)
}

/** @returns the door that opened; or, with `--delay`, the one that should have. */
async function knockAndWait(
  given: Given,
  wish: WaitWish,
  pause: Milliseconds | undefined,
  terminal: Terminal,
): Promise<Outcome | OpenedDoor> {
  const planned = await planKnock(given, terminal)
  if (!planned.ok) return planned
  const { plan, settings } = planned.value
  if (pause === undefined) {
    const wait = doorFor(plan, wish)
    if (!wait.ok) return { ok: false, failure: { ...wait.failure, suggestion: '--delay SECONDS' } }
    const opened = await openDoor(planned.value, wait.value, terminal)
    if (typeof opened === 'number') return opened
    opened.socket.destroy()
    return { address: opened.address, port: wait.value.port }
  }
  const performed = await performKnock(planned.value, {
    onSealed: (packets) => {
      if (settings.verbose === true) terminal.note(fieldReport(plan, packets))
    },
    onSent: (packets, number) => {
      if (settings.verbose === true) terminal.note(departures(plan, packets, number))
    },
    onNextGateway: nextGatewayNote(terminal),
  })
  if (!performed.ok) return noteFailure(performed.failure, terminal)
  await delay(pause)
  const { request } = plan
  const [first] = request.kind === 'command' ? [] : request.ports
  const address = performed.value.sent.find(({ departure }) => departure.ok)?.address
  return first === undefined || address === undefined ? 0 : { address, port: first.port }
}

function parseDelay(given: Given): Result<Milliseconds | undefined, Failure<'CLI_USAGE' | 'VALUE_INVALID'>> {
  const { delay: text } = given
  if (text === undefined) return ok(undefined)
  const other = (['wait-limit', 'wait-for', 'knocks'] as const).find((name) => given[name] !== undefined)
  if (other !== undefined) return refuse('CLI_USAGE', `--${other} has no effect with --delay, which tries no port`)
  const seconds = /^[0-9]{1,4}(\.[0-9]{1,3})?$/.test(text) ? Number(text) : Number.NaN
  return seconds <= 3600
    ? ok(milliseconds(seconds * 1000))
    : refuse('VALUE_INVALID', `--delay: “${text}” is not a number of seconds up to 3600`)
}
