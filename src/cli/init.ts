/**
 * `ghostport init`: from an installed package to a hidden server. Nothing of it stays until a knock has let somebody
 * in.
 */
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../clock.ts'
import type { Looker } from '../host/looker.ts'
import { takeBack } from '../host/set-up/confirm.ts'
import { isGood, type Rehearsal } from '../host/set-up/rehearse.ts'
import { isNothing } from '../host/set-up/steps.ts'
import { systemLooker } from '../host/system-looker.ts'
import { armedUntil } from '../host/way-back/arm.ts'
import { type PendingSetUp, readPending, writePending } from '../host/way-back/pending.ts'
import { journalPaths } from '../host/way-back/way-back.ts'
import { ok, type Result, refuse } from '../result.ts'
import { acquireInstanceLock, type InstanceLock } from '../system/instance-lock.ts'
import { readBounded } from '../system/read-bounded.ts'
import { defineCommand, type Outcome } from './command.ts'
import { askPolicy, askWishes } from './init/ask-wishes.ts'
import { carryOut } from './init/carry-out.ts'
import { type ClientFiles, clientFiles, describeClient, writeClientFiles } from './init/client-files.ts'
import { confirmNow, prolong, revertNow, showStatus } from './init/pending-changes.ts'
import { plannedChange, takenBackChange } from './init/planned-change.ts'
import { type Prepared, prepare } from './init/prepare.ts'
import { describeRehearsal, rehearsalJson, rehearsePlan } from './init/rehearse-plan.ts'
import { describePlan, planJson } from './init/show.ts'
import { watch, withJournal } from './init/watch.ts'
import { type Answers, parseSpan, parseWishes, questionOptions, readAnswers, type Wishes } from './init/wishes.ts'
import { auditLogHere, recorded, recordedIfPossible } from './recorded.ts'
import { ask } from './terminal/ask.ts'
import type { Line } from './terminal/line.ts'
import type { OptionValues, ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = {
  ...questionOptions,
  answers: {
    value: 'FILE',
    help: 'take these answers from a JSON file, such as {"hide":"tcp/22"}; options go before it',
  },
  plan: { help: 'only show what would be done; changes nothing' },
  yes: { short: 'y', help: 'ask nothing' },
  'write-client': { value: 'FOLDER', help: 'write the files for the client into this new folder too, mode 0600' },
  'no-rehearsal': { help: 'do not try the plan out first, in a network of its own' },
  'no-wait': { help: 'end when the ports are shut, without waiting for the knock. Confirm with --confirm' },
  confirm: { help: 'confirm the changes, from an ssh session that came in by a knock' },
  revert: { help: 'take the changes back that wait for a confirmation' },
  'more-time': { value: 'TIME', help: 'wait this much longer for the confirmation, from now on' },
  status: { help: 'say whether changes wait for a confirmation, and until when' },
  json: { help: 'print JSON: an object for the plan, or one for each state' },
} as const
type Given = OptionValues<typeof options>

export const command = defineCommand({
  options,
  operands: {},
  about: [
    'Hides ports of this host behind a knock. Looks at the host first, shows each change, and asks. Nobody is locked out:',
    'the changes stay only after a knock has let you in, and the session that you have stays open. Until then, the end of',
    'the time, a reboot or Ctrl-C takes all of them back. docs/INIT.md says more.',
  ],
  after: [
    'ghostport init --plan                    what would be done',
    'ghostport init --server host.example     hide the ssh port of this host',
    'ghostport init --yes --answers FILE --no-wait --json',
  ],
  run,
})

/** What is done with changes that wait, in place of a new set-up. */
const ABOUT_PENDING = ['confirm', 'revert', 'more-time', 'status'] as const

async function run({ options: given }: ParsedCommandLine<typeof options>, terminal: Terminal): Promise<Outcome> {
  const [one, other] = ABOUT_PENDING.filter((name) => given[name] !== undefined && given[name] !== 0)
  if (other !== undefined) return refuse('CLI_USAGE', `--${one} and --${other} cannot be used together`)
  if (process.getuid?.() !== 0)
    return refuse('PRIVILEGE_MISSING', 'ghostport init looks at the whole host, and changes it', {
      suggestion: `sudo ghostport init${one === undefined || one === 'more-time' ? '' : ` --${one}`}`,
    })
  switch (one) {
    case 'confirm':
      return confirmNow(terminal, given.json > 0)
    case 'revert':
      return revertNow(terminal, given.json > 0)
    case 'status':
      return showStatus(terminal, given.json > 0)
    case 'more-time': {
      const time = parseSpan(given['more-time'] ?? '')
      return time.ok
        ? prolong(time.value, terminal, given.json > 0)
        : refuse('VALUE_INVALID', `--more-time: ${time.failure.detail}`)
    }
    case undefined:
      return setUp(given, terminal)
    default:
      return one satisfies never
  }
}

async function setUp(given: Given, terminal: Terminal): Promise<Outcome> {
  const answers = gather(given)
  if (!answers.ok) return answers
  if (given.plan > 0) return await showPlan(answers.value, given, terminal)
  const lock = onlyOne()
  if (!lock.ok) return lock
  try {
    const leftover = await goOnOrTakeBack(terminal)
    if (!leftover.ok) return leftover
    if (leftover.value !== undefined)
      return given['no-wait'] > 0 ? tellWaiting(given, terminal) : await waitFor(leftover.value, given, terminal)
    return await anew(answers.value, given, terminal)
  } finally {
    lock.value.release()
  }
}

/** Longer than any answers. */
const MOST_OF_ANSWERS = 1 << 20

/** @throws the file system's errors. */
function readShortFile(path: string): string | undefined {
  const descriptor = openSync(path, 'r')
  try {
    return readBounded(descriptor, MOST_OF_ANSWERS)?.toString('utf8')
  } finally {
    closeSync(descriptor)
  }
}

function gather(given: Given): Result<Answers> {
  const { hide, server, alias, name, policy, allow, time } = given
  const fromFile = given.answers === undefined ? ok({}) : readAnswers(given.answers, readShortFile)
  if (!fromFile.ok) return fromFile
  const told = Object.entries({ hide, server, alias, name, policy, allow, time }).filter(
    ([, value]) => value !== undefined,
  )
  const answers: Answers = { ...fromFile.value, ...Object.fromEntries(told) }
  const wishes = parseWishes(answers)
  return wishes.ok ? ok(answers) : wishes
}

async function showPlan(answers: Answers, given: Given, terminal: Terminal): Promise<Outcome> {
  const wishes = parseWishes(answers)
  const plan = wishes.ok ? await prepare(systemLooker(), wishes.value) : wishes
  if (!plan.ok) return plan
  const rehearsal = await rehearsed(plan.value, given)
  if (given.json > 0)
    terminal.printJson({
      ...planJson(plan.value),
      rehearsal: rehearsal === undefined ? null : rehearsalJson(rehearsal),
      answers,
    })
  else terminal.print([...describePlan(plan.value, terminal.style), ...shownRehearsal(rehearsal, terminal)])
  return rehearsal === undefined || isGood(rehearsal) ? 0 : 1
}

/** @returns undefined if nothing has to be tried. */
async function rehearsed(plan: Prepared, given: Given): Promise<Rehearsal | undefined> {
  return given['no-rehearsal'] > 0 || isNothing(plan.steps) ? undefined : await rehearsePlan(plan)
}

function shownRehearsal(rehearsal: Rehearsal | undefined, { style }: Terminal): readonly Line[] {
  return rehearsal === undefined ? [] : ['', ...describeRehearsal(rehearsal, style)]
}

/** Two at once would take each other’s changes back. */
function onlyOne(): Result<InstanceLock> {
  const lock = acquireInstanceLock(join(journalPaths().folder, 'init-lock'))
  if (lock.ok || lock.failure.code !== 'INSTANCE_RUNNING') return lock
  return refuse('CHANGES_PENDING', `another “ghostport init” is at work (${lock.failure.detail})`, {
    suggestion: 'ghostport init --status',
  })
}

/** @returns the changes of an earlier run, if they are complete and only wait. Half of a run is taken back. */
async function goOnOrTakeBack(terminal: Terminal): Promise<Result<PendingSetUp | undefined>> {
  return await withJournal<PendingSetUp | undefined>(async (back) => {
    if (!back.isPending) return ok(undefined)
    const pending = readPending(back.paths.folder)
    if (!pending.ok) return pending
    if (pending.value?.by === 'policy')
      return refuse('CHANGES_PENDING', 'changes of “ghostport policy” wait for a confirmation', {
        suggestion: 'ghostport policy install --revert',
      })
    if (pending.value === undefined)
      return refuse('CHANGES_PENDING', 'changes wait for a confirmation, and the file that says which is missing', {
        suggestion: 'ghostport init --revert',
      })
    if (pending.value.complete) {
      terminal.note('An earlier “ghostport init” has made its changes already, and they wait for a confirmation.')
      return ok(pending.value)
    }
    terminal.note('An earlier “ghostport init” was ended half way. What it changed is taken back first.')
    const change = takenBackChange(back.unconfirmed, 'an earlier “ghostport init” was ended half way')
    const undone = await recordedIfPossible(auditLogHere(), change, terminal.note, () => takeBack(back))
    return undone.ok ? ok(undefined) : undone
  })
}

interface Asked {
  readonly wishes: Wishes
  readonly plan: Prepared
}

/** All questions, and what follows from the answers. */
async function wishesAndPlan(answers: Answers, given: Given): Promise<Result<Asked>> {
  const looker = systemLooker()
  const told = given.yes > 0 ? ok(answers) : await askWishes(answers, looker)
  const first = told.ok ? await planFor(looker, told.value) : told
  if (!first.ok || !told.ok) return first
  const { offer } = first.value.plan
  if (given.yes > 0 || offer.kind !== 'offered') return first
  const more = askPolicy(told.value, offer)
  return more.ok ? await planFor(looker, more.value) : more
}

async function planFor(looker: Looker, answers: Answers): Promise<Result<Asked>> {
  const wishes = parseWishes(answers)
  const plan = wishes.ok ? await prepare(looker, wishes.value) : wishes
  return plan.ok && wishes.ok ? ok({ wishes: wishes.value, plan: plan.value }) : (plan as Result<never>)
}

async function anew(answers: Answers, given: Given, terminal: Terminal): Promise<Outcome> {
  const asked = await wishesAndPlan(answers, given)
  if (!asked.ok) return asked
  const { wishes, plan } = asked.value
  if (given.json === 0) terminal.print(describePlan(plan, terminal.style))
  if (isNothing(plan.steps)) {
    if (given.json > 0) terminal.printJson({ state: 'nothing to change' })
    else terminal.print('Nothing has to be changed: this host is set up like this already.')
    return 0
  }
  const rehearsal = await rehearsed(plan, given)
  if (given.json === 0) terminal.print([...shownRehearsal(rehearsal, terminal), ''])
  const failed = rehearsal?.scenes.find(({ good }) => !good)
  if (failed !== undefined)
    return refuse(
      'SETUP_REFUSED',
      `the rehearsal failed, and nothing was changed. This did not come true: ${failed.what}`,
      {
        suggestion: 'ghostport init --plan',
      },
    )
  if (given.yes === 0) {
    const answer = ask('Make these changes? They are taken back unless a knock confirms them. [y/N]')
    if (answer === undefined) return refuse('CLI_USAGE', 'there is no terminal to ask at', { suggestion: '--yes' })
    if (!/^y(es)?$/i.test(answer)) {
      terminal.print('Nothing was changed.')
      return 1
    }
  }
  const files = clientFiles(plan)
  const folder = given['write-client']
  // Before the changes: they cannot be lost then.
  const written = folder === undefined ? ok([]) : writeClientFiles(folder, files)
  if (!written.ok) return written
  for (const path of written.value) terminal.note(`wrote ${path}`)
  const pending = await recorded(auditLogHere(), plannedChange(plan), () =>
    carryOut(plan, wishes.time, (what) => terminal.note(what)),
  )
  if (!pending.ok) return pending
  const complete = tellClient(plan, files, pending.value, given, terminal)
  return given['no-wait'] > 0 ? 0 : await waitFor(complete, given, terminal)
}

function tellClient(
  plan: Prepared,
  files: ClientFiles,
  pending: PendingSetUp,
  given: Given,
  terminal: Terminal,
): PendingSetUp {
  const until = new Date((pending.armedAt + pending.time) * 1000).toISOString()
  if (given.json > 0) {
    const { fwknoprc, sshConfig, test } = files
    terminal.printJson({
      state: 'waiting',
      until,
      client: { fwknoprc: fwknoprc ?? null, sshConfig: sshConfig ?? null, test },
    })
  } else {
    terminal.print(['', ...describeClient(files, plan.client.alias, terminal.style), ''])
    terminal.print(
      given['no-wait'] > 0
        ? `The ports are shut. From the new session run: ghostport init --confirm. All is taken back at ${until}.`
        : `The ports are shut. Keep this session open, knock and log in as above. All is taken back at ${until}.`,
    )
  }
  const complete = { ...pending, complete: true }
  writePending(journalPaths().folder, complete)
  return complete
}

/** The changes of an earlier run wait. Its keys are not shown again. */
function tellWaiting({ json }: Given, terminal: Terminal): 0 {
  const armed = armedUntil()
  const until = armed === undefined ? undefined : new Date(armed * 1000).toISOString()
  if (json > 0) terminal.printJson({ state: 'waiting', until: until ?? null })
  else
    terminal.print(
      `From the new session run: ghostport init --confirm. All is taken back at ${until ?? 'the next boot'}.`,
    )
  return 0
}

async function waitFor(pending: PendingSetUp, given: Given, terminal: Terminal): Promise<Outcome> {
  const outcome = await watch(pending, (what) => terminal.note(what))
  if (!outcome.ok) return outcome
  const { by } = outcome.value
  const at = new Date(systemClock.now() * 1000).toISOString()
  if (given.json > 0) terminal.printJson({ state: 'confirmed', at, by: by ?? null })
  else
    terminal.print(
      by === undefined
        ? 'The changes were confirmed in another session: they stay.'
        : `Confirmed by the login from ${by.peer} port ${by.peerPort}, which came in by a knock: the changes stay.`,
    )
  return 0
}
