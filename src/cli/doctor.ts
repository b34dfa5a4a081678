/** `ghostport doctor`: what is wrong on this host, for the server or the client, and what mends it. */
import { existsSync } from 'node:fs'
import { rcPath } from '../client/rc-stanza.ts'
import type { Check, Side } from '../host/doctor/check.ts'
import type { Examined } from '../host/doctor/doctor.ts'
import { type Failure, ok, type Refused, type Result, refuse } from '../result.ts'
import { systemReason } from '../system/errno.ts'
import { defineCommand, type Outcome } from './command.ts'
import type { Fix } from './doctor/fix.ts'
import { DEFAULT_CONFIG } from './server/config-source.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = {
  server: { help: 'examine the server (also without this, where its settings are)' },
  client: { help: 'examine the client (also without this, where an rc file is)' },
  'config-file': { short: 'c', value: 'FILE', help: 'the server’s settings (/etc/fwknop/fwknopd.conf)' },
  'access-file': { short: 'a', value: 'FILE', help: 'the stanzas (ACCESS_FILE, or access.conf beside the settings)' },
  'named-config': { short: 'n', value: 'NAME', help: 'only this stanza of the rc file' },
  'rc-file': { value: 'FILE', help: 'the client’s rc file (~/.fwknoprc)' },
  only: { value: 'CODE', repeatable: true, help: 'only this check; may be given several times' },
  fix: { help: 'mend what can be mended without a risk: show each command, ask, run it, and examine again' },
  yes: { short: 'y', help: 'with --fix: ask nothing' },
  strict: { help: 'exit status 1 for warnings too' },
  all: { help: 'also show what is good, and how that was seen' },
  list: { help: 'list the checks with their codes, and examine nothing' },
  json: { help: 'print one JSON object' },
} as const
type Given = ParsedCommandLine<typeof options>['options']

/** The doctor itself failed: it cannot say whether the host is well. */
const DOCTOR_FAILED = 2

export const command = defineCommand({
  options,
  operands: {},
  about: [
    'Examines this host, and changes nothing without --fix. Each finding has what was seen, the command that mends it, and',
    'the command that checks again. What cannot be looked at is “not checked”, with the reason: it is neither good nor bad.',
    'Exit status 0: fine, or hints and warnings; 1: errors; 2: the doctor itself failed.',
  ],
  after: [
    'ghostport doctor',
    'ghostport doctor --only CLOCK --only DISK',
    'ghostport doctor --client -n office',
    'ghostport doctor --fix',
    '',
    'docs/DOCTOR.md explains each check.',
  ],
  run,
})

async function run({ options: given }: ParsedCommandLine<typeof options>, terminal: Terminal): Promise<Outcome> {
  const { checks } = await import('../host/doctor/checks.ts')
  const { checkList, checkListJson } = await import('./doctor/text.ts')
  const misused = misuse(given)
  if (misused !== undefined) return refuse('CLI_USAGE', misused)
  if (given.list > 0) {
    if (given.json > 0) terminal.printJson(checkListJson(checks))
    else terminal.print(checkList(checks, terminal.style))
    return 0
  }
  const wanted = wantedChecks(given, checks)
  if (!wanted.ok) return wanted
  try {
    return await examineAndTell(given, wanted.value, terminal)
  } catch (error) {
    const { failure } = refuse('INTERNAL_ERROR', `the doctor itself failed: ${systemReason(error)}`)
    if (given.json > 0) {
      const told = (await import('./terminal/failure-json.ts')).failureJson(failure)
      terminal.printJson({ ...told, error: { ...told.error, exit: DOCTOR_FAILED } })
    }
    terminal.fail(failure)
    return DOCTOR_FAILED
  }
}

async function examineAndTell(given: Given, wanted: readonly Check[], terminal: Terminal): Promise<Outcome> {
  const [{ subjectOf }, { examine, statusOf, tallyOf }, { reportJson, reportText }, { fixesJson, fixFindings }] =
    await Promise.all([
      import('./doctor/subject.ts'),
      import('../host/doctor/doctor.ts'),
      import('./doctor/text.ts'),
      import('./doctor/fix.ts'),
    ])
  const subject = subjectOf(given)
  if (!subject.ok) return subject
  const again = againWith(given)
  const isJson = given.json > 0
  const text = (found: readonly Examined[]) =>
    terminal.print(reportText(found, { again, all: given.all > 0, style: terminal.style }))
  let examined = await examine(subject.value, wanted)
  let fixes: readonly Fix[] | undefined
  if (given.fix > 0) {
    if (!isJson) text(examined)
    const fixed = await fixFindings(subject.value, examined, terminal, { yes: given.yes > 0, quiet: isJson })
    if (!fixed.ok) return fixed
    fixes = fixed.value
    if (!isJson) terminal.print(fixes.length === 0 ? NOTHING_SAFE : ['', 'Examined again:', ''])
    if (fixes.length > 0) {
      // Of a subject, each fact is looked at once.
      const later = subjectOf(given)
      if (!later.ok) return later
      examined = await examine(later.value, wanted)
    }
  }
  if (isJson)
    terminal.printJson({ ...reportJson(examined, again), ...(fixes !== undefined && { fixes: fixesJson(fixes) }) })
  else if (fixes === undefined || fixes.length > 0) text(examined)
  return statusOf(tallyOf(examined), given.strict > 0)
}

const NOTHING_SAFE =
  'There is nothing that --fix may mend. It never changes firewall rules, sshd, or what somebody wrote.'

/** @returns what is wrong with the options together. */
function misuse({ fix, yes, list, json }: Given): string | undefined {
  if (yes > 0 && fix === 0) return '--yes has no effect without --fix'
  if (fix > 0 && list > 0) return '--fix and --list cannot be used together'
  if (fix > 0 && json > 0 && yes === 0) return '--fix with --json asks nothing, so it needs --yes'
  return undefined
}

/** @returns CLI_USAGE for a code that no check has. */
function wantedChecks(given: Given, checks: readonly Check[]): Result<readonly Check[], Failure<'CLI_USAGE'>> {
  if (given.only.length > 0) {
    const unknown = given.only.find((code) => !checks.some((check) => check.code === code.toUpperCase()))
    if (unknown !== undefined) return unknownCode(unknown)
    const codes = given.only.map((code) => code.toUpperCase())
    return ok(checks.filter(({ code }) => codes.includes(code)))
  }
  const sides = sidesOf(given)
  return ok(checks.filter(({ side }) => side === 'host' || sides.has(side)))
}

function unknownCode(code: string): Refused<Failure<'CLI_USAGE'>> {
  return refuse('CLI_USAGE', `no check has the code “${code}”`, { suggestion: 'ghostport doctor --list' })
}

/** Those that are named; else those that are there. */
function sidesOf(given: Given): ReadonlySet<Side> {
  const namesServer = given.server > 0 || given['config-file'] !== undefined || given['access-file'] !== undefined
  const namesClient = given.client > 0 || given['named-config'] !== undefined || given['rc-file'] !== undefined
  if (namesServer || namesClient)
    return new Set<Side>([...(namesServer ? ['server' as const] : []), ...(namesClient ? ['client' as const] : [])])
  const rc = rcPath({})
  return new Set<Side>([
    ...(existsSync(DEFAULT_CONFIG) ? ['server' as const] : []),
    ...('path' in rc && existsSync(rc.path) ? ['client' as const] : []),
  ])
}

/** The options that say what is examined, for the command that checks again. */
function againWith(given: Given): string {
  const words = (['config-file', 'access-file', 'named-config', 'rc-file'] as const).flatMap((name) => {
    const value = given[name]
    return value === undefined
      ? []
      : [`--${name}`, /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`]
  })
  return ['ghostport doctor', ...words].join(' ')
}
