/** `ghostport knock`: ask a server to open a port. */
import { type SentKnock, sealKnock, sendKnock } from '../client/knock.ts'
import type { PlannedKnock } from '../client/plan.ts'
import type { ClosedDoor, OpenDoor } from '../client/wait.ts'
import { type Failure, ok, type Result, refuse } from '../result.ts'
import { defineCommand, type Outcome } from './command.ts'
import { knockJson } from './knock/json.ts'
import { knockOptions } from './knock/options.ts'
import { planKnock } from './knock/plan.ts'
import { departures, describeOpening, fieldReport, testReport } from './knock/report.ts'
import {
  doorFor,
  doorOfSealed,
  doorOfSent,
  firstDeparture,
  parseWait,
  type WaitPlan,
  waitOptions,
} from './knock/wait-options.ts'
import { failureJson } from './terminal/failure-json.ts'
import { type OptionValues, type ParsedCommandLine, unexpectedArgument } from './terminal/options.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = {
  ...knockOptions,
  test: { short: 'T', help: 'show the packet and send nothing' },
  wait: { help: 'after the knock, try the port until it opens; says how long that took, or that it was open already' },
  ...waitOptions,
  json: { help: 'one JSON object on standard output, also for a failure (docs/CLIENT.md)' },
} as const

export const command = defineCommand({
  options,
  operands: { optional: ['STANZA'] },
  about: [
    'Sends one packet that asks a server to open a port: to every address of the host, each time another packet. Nothing',
    'comes back, whether the server opens or not; --wait finds out. Settings come from ~/.fwknoprc (fwknop’s file): from its',
    '[default], and over it from STANZA, which -n names as well. Flags count for more. Missing keys are asked for.',
  ],
  after: [
    'ghostport knock myserver --wait                all from the rc file',
    'ghostport knock -A tcp/22 -s -D host.example   open ssh for the address this arrives from',
    'ghostport knock -A tcp/22 -s -D host.example --nat-local --nat-port 80   ssh, behind the web server’s port',
  ],
  run,
})

async function run(
  { options: given, operands, afterFlag }: ParsedCommandLine<typeof options>,
  terminal: Terminal,
): Promise<Outcome> {
  const json = given.json > 0
  const pointless = withoutEffect(given)
  if (!pointless.ok) return pointless

  const wish = parseWait(given)
  if (!wish.ok) return wish
  const [stanza] = operands
  const usage = stanza === undefined ? ok(undefined) : stanzaTwice(given, stanza, afterFlag[0])
  if (!usage.ok) return usage
  const planned = await planKnock(given, terminal, {
    ...(stanza === undefined
      ? {}
      : { stanza: { word: stanza, required: true, doubt: doubtful(stanza, afterFlag[0]) } }),
  })
  if (!planned.ok) return planned
  const { plan, world } = planned.value
  const door = given.wait > 0 ? doorFor(planned.value, wish.value) : ok(undefined)
  if (!door.ok) return door

  const sealed = await sealKnock(plan, world)
  if (!sealed.ok) return sealed
  if (plan.keys.hmac === undefined)
    terminal.note('ghostport: the packet has no HMAC: somebody who records it can try to change it')
  if (given.test > 0) {
    if (json) terminal.printJson(knockJson(plan, sealed.value))
    else for (const line of testReport(plan, sealed.value, terminal.style)) terminal.print(line)
    return 0
  }

  if (planned.value.settings.verbose === true) for (const line of fieldReport(plan, sealed.value)) terminal.note(line)

  // Loaded, and the port looked at, before the packet leaves.
  const waiting = door.value === undefined ? undefined : { ...door.value, ...(await import('../client/wait.ts')) }
  const look = waiting?.lookAtDoor(doorOfSealed(sealed.value, waiting))
  const sent = await sendKnock(sealed.value, world.delivery)
  if (!sent.ok) {
    look?.end()
    return sent
  }
  if (!json) for (const line of departures(plan, sent.value)) terminal.print(line)
  if (waiting === undefined) {
    if (json) terminal.printJson(knockJson(plan, sent.value))
    return 0
  }
  const at = doorOfSent(sent.value, waiting)
  const outcome = await waiting.waitForDoor(at, firstDeparture(sent.value), waiting.limit, look)
  return tellOutcome(planned.value, sent.value, waiting, outcome, json, terminal)
}

/** Flags that nothing would come of. */
function withoutEffect(given: OptionValues<typeof options>): Result<void, Failure<'CLI_USAGE'>> {
  if (given.wait > 0 && given.test > 0)
    return refuse('CLI_USAGE', '--wait has no effect with --test (-T), which sends nothing')
  for (const name of Object.keys(waitOptions) as (keyof typeof waitOptions)[])
    if (given.wait === 0 && given[name] !== undefined)
      return refuse('CLI_USAGE', `--${name} has no effect without --wait`, { suggestion: 'add --wait' })
  return ok(undefined)
}

/** An argument after an option without value may be meant as its value. */
function doubtful(word: string, flag: string | undefined): string | undefined {
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

async function tellOutcome(
  planned: PlannedKnock,
  sent: readonly SentKnock[],
  wait: WaitPlan,
  outcome: OpenDoor | ClosedDoor,
  json: boolean,
  terminal: Terminal,
): Promise<number> {
  const { plan } = planned
  if (outcome.open) {
    outcome.socket.destroy()
    if (json) terminal.printJson(knockJson(plan, sent, { ...outcome, port: wait.port }))
    else terminal.print(describeOpening(outcome, wait.port, terminal.style))
    return 0
  }
  const { tellShutDoor } = await import('./knock/shut-door.ts')
  const door = doorOfSent(sent, wait)
  const { failure, causes } = tellShutDoor(planned, { door, seen: outcome, limit: wait.limit, sent })
  if (json) terminal.printJson({ ...failureJson(failure), causes, packets: knockJson(plan, sent).packets })
  const status = terminal.fail(failure)
  for (const cause of causes) terminal.note(`  - ${cause}`)
  return status
}
