/** `ghostport knock`: ask a server to open a port. */
import { type SealedKnock, sealKnock } from '../client/knock.ts'
import { type PerformFailure, performKnock } from '../client/perform.ts'
import type { Hints, PlannedKnock } from '../client/plan.ts'
import { rcPath, stanzaNames } from '../client/rc-stanza.ts'
import { doorFor, parseWait, type WaitWish, waitWithoutEffect } from '../client/wait-plan.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { defineCommand, type Outcome } from './command.ts'
import { knockOnEach } from './knock/each-stanza.ts'
import { knockJson } from './knock/json.ts'
import { knockFlags, knockOptions } from './knock/knock-flags.ts'
import { planKnock } from './knock/plan-from-flags.ts'
import {
  departures,
  describeOpening,
  describeReceipt,
  fieldReport,
  nextGatewayNote,
  noteFailure,
  testReport,
} from './knock/report.ts'
import { savePackets } from './knock/save-packet.ts'
import { waitOptions } from './knock/wait-flags.ts'
import { failureJson } from './terminal/failure-json.ts'
import { type OptionValues, type ParsedCommandLine, unexpectedArgument } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = {
  ...knockOptions,
  test: { short: 'T', help: 'show the packet and send nothing' },
  'save-packet': { short: 'B', value: 'FILE', help: 'write the packets into FILE, one a line' },
  'save-packet-append': { short: 'b', help: 'with -B: add them to the end of FILE' },
  'stanza-list': { help: 'list the stanzas of the rc file, and do nothing else' },
  wait: {
    help: 'after the knock, try the port until it opens, and knock again while it stays shut; says how long that took, or that it was open already',
  },
  ...waitOptions,
  close: {
    help: 'close what the same command without --close opened, before its time; fwknopd refuses it',
  },
  json: { help: 'one JSON object on standard output, also for a failure (docs/CLIENT.md)' },
} as const

export const command = defineCommand({
  options,
  operands: { optional: ['STANZA'] },
  about: [
    'Asks a server to open a port. Sends a packet of its own to each address of the host. The server never answers; --wait',
    'finds out whether the port opened. Settings come from ~/.fwknoprc (fwknop’s file): STANZA (or -n STANZA) overrides',
    '[default], and flags override both. Missing keys are asked for.',
  ],
  after: [
    'ghostport knock myserver --wait                all from the rc file',
    'ghostport knock gateway,inner                  with each of these stanzas, one after the other',
    'ghostport knock -A tcp/22 -s -D host.example   open ssh for the address this arrives from',
    'ghostport knock -A tcp/22 -s -D host.example --nat-local --nat-port 80   ssh, behind the web server’s port',
    'ghostport knock myserver --close               close again what “ghostport knock myserver” opened',
  ],
  run,
})

async function run(
  { options: given, operands, afterFlag }: ParsedCommandLine<typeof options>,
  terminal: Terminal,
): Promise<Outcome> {
  const pointless = withoutEffect(given)
  if (!pointless.ok) return pointless
  const wish = parseWait(given)
  if (!wish.ok) return wish
  if (given['stanza-list'] > 0) return listed(given, operands, terminal)
  const [stanza] = operands
  const usage = stanza === undefined ? ok(undefined) : stanzaTwice(given, stanza, afterFlag[0])
  if (!usage.ok) return usage
  const tell = (failure: Failure): number => {
    if (given.json > 0) terminal.printJson(failureJson(failure))
    return terminal.fail(failure)
  }
  if (stanza !== undefined) {
    const misread = misreadAs(stanza, afterFlag[0])
    const hints = (word: string): Hints => ({ stanza: { word, required: true, misread } })
    const names = namesOf(given, stanza)
    return knockOnEach(names, (name) => knockOnce(given, hints(name), wish.value, terminal), tell)
  }
  const named = given['named-config']
  if (named === undefined) return knockOnce(given, {}, wish.value, terminal)
  const names = namesOf(given, named)
  return knockOnEach(names, (name) => knockOnce({ ...given, 'named-config': name }, {}, wish.value, terminal), tell)
}

async function listed(
  given: OptionValues<typeof options>,
  operands: readonly string[],
  terminal: Terminal,
): Promise<Outcome> {
  if (operands.length > 0 || given['named-config'] !== undefined)
    return refuse('CLI_USAGE', '--stanza-list lists all stanzas: name none')
  const flags = knockFlags(given)
  if (!flags.ok) return flags
  const where = rcPath(flags.value.options)
  if ('none' in where) return refuse('CLI_USAGE', `there is no rc file to list: ${where.none}`)
  const { listStanzas } = await import('./knock/stanza-list.ts')
  return listStanzas(where.path, terminal)
}

function namesOf(given: OptionValues<typeof options>, list: string): readonly string[] {
  const flags = knockFlags(given)
  // What is wrong with the flags is told where they are used.
  return flags.ok ? stanzaNames(flags.value.options, list) : [list]
}

async function knockOnce(
  given: OptionValues<typeof options>,
  hints: Hints,
  wish: WaitWish,
  terminal: Terminal,
): Promise<Outcome> {
  const json = given.json > 0
  const planned = await planKnock(given, terminal, hints)
  if (!planned.ok) return planned
  const { plan, settings } = planned.value
  if (given.test > 0) return test(planned.value, given, terminal)
  const wait = given.wait > 0 ? doorFor(plan, wish) : ok(undefined)
  if (!wait.ok) return wait

  const performed = await performKnock(planned.value, {
    wait: wait.value,
    onSealed: (packets) => {
      noteMissingHmac(planned.value, terminal)
      if (settings.verbose === true) terminal.note(fieldReport(plan, packets))
      return saved(given, packets)
    },
    onSent: (packets, number) => {
      const lines = departures(plan, packets, number)
      if (number > 1) {
        if (settings.verbose === true) terminal.note(lines)
      } else if (!json) terminal.print(lines)
    },
    onNextGateway: nextGatewayNote(terminal),
  })
  if (!performed.ok) return tellFailure(performed.failure, planned.value, json, terminal)
  const { sent, opened, receipt } = performed.value
  const by = performed.value.plan
  opened?.socket.destroy()
  const port = wait.value?.port
  if (opened === undefined || port === undefined) {
    if (json) terminal.printJson(knockJson(by, sent, receipt))
    else if (plan.settings.gateway !== undefined) terminal.print(describeReceipt(receipt, plan.request, terminal.style))
  } else if (json) terminal.printJson(knockJson(by, sent, receipt, { ...opened, port }))
  else terminal.print(describeOpening(opened, port, terminal.style))
  return 0
}

/** `-T`: the packets, and nothing is sent. */
async function test(
  { plan, world }: PlannedKnock,
  given: OptionValues<typeof options>,
  terminal: Terminal,
): Promise<Outcome> {
  const sealed = await sealKnock(plan, world)
  if (!sealed.ok) return sealed
  noteMissingHmac({ plan }, terminal)
  const written = saved(given, sealed.value)
  if (!written.ok) return written
  if (given.json > 0) terminal.printJson(knockJson(plan, sealed.value))
  else terminal.print(testReport(plan, sealed.value, terminal.style))
  return 0
}

function saved(given: OptionValues<typeof options>, packets: readonly SealedKnock[]): Result<void> {
  const file = given['save-packet']
  return file === undefined ? ok(undefined) : savePackets(file, packets, given['save-packet-append'] > 0)
}

function noteMissingHmac({ plan }: Pick<PlannedKnock, 'plan'>, terminal: Terminal): void {
  if (plan.keys.hmac === undefined)
    terminal.note('ghostport: the packet has no HMAC: somebody who records it can try to change it')
}

/** Flags that nothing would come of. */
function withoutEffect(given: OptionValues<typeof options>): Result<void, Failure<'CLI_USAGE'>> {
  if (given.wait > 0 && given.test > 0)
    return refuse('CLI_USAGE', '--wait has no effect with --test (-T), which sends nothing')
  if (given['save-packet-append'] > 0 && given['save-packet'] === undefined)
    return refuse('CLI_USAGE', '--save-packet-append (-b) has no effect without --save-packet FILE (-B)')
  if (given.wait > 0 && given.close > 0)
    return refuse('CLI_USAGE', '--wait waits for a port to open: it has no effect with --close')
  return given.wait > 0 ? ok(undefined) : waitWithoutEffect(given)
}

/** An argument after an option without value may be meant as its value. */
function misreadAs(word: string, flag: string | undefined): string | undefined {
  return flag === undefined ? undefined : unexpectedArgument(word, flag)
}

/** The argument is a stanza: then nothing else may say which, or that there is none. */
function stanzaTwice(
  given: OptionValues<typeof options>,
  stanza: string,
  flag: string | undefined,
): Result<void, Failure<'CLI_USAGE'>> {
  const named = given['named-config']
  if (named !== undefined) return refuse('CLI_USAGE', `${unexpectedArgument(stanza, flag)}; -n names the stanza`)
  if (given['no-rc-file'] > 0)
    return refuse('CLI_USAGE', `${unexpectedArgument(stanza, flag)}; --no-rc-file leaves no stanza to name`)
  return ok(undefined)
}

function tellFailure(failure: PerformFailure, { plan }: PlannedKnock, json: boolean, terminal: Terminal): Outcome {
  if (failure.sent.length === 0) return { ok: false, failure }
  const { causes, sent } = failure
  if (json) terminal.printJson({ ...failureJson(failure), causes, packets: knockJson(plan, sent).packets })
  return noteFailure(failure, terminal)
}
