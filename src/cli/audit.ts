/** `ghostport audit`: the audit log of the server, shown or verified. `ghostport policy audit` is another thing. */

import type { AuditActor, AuditEntry, AuditHead } from '../audit-log/entry.ts'
import { readAudit, verifyAudit } from '../audit-log/verify.ts'
import { printable } from '../bytes/text.ts'
import { loadServerConfig } from '../config/load.ts'
import { nearest } from '../config/reading/nearest.ts'
import { diskFiles } from '../daemon/warden/config-files-on-disk.ts'
import { ok, type Result, refuse } from '../result.ts'
import { defineCommand, type Outcome } from './command.ts'
import { configFileOptions, configFiles } from './server/config-source.ts'
import type { OptionValues, ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = {
  'config-file': configFileOptions['config-file'],
  log: { value: 'FILE', help: 'the audit log (AUDIT_LOG of the server’s settings)' },
  expect: {
    value: 'NUMBER:HASH',
    help: 'verify: this line must be there with this hash, as an earlier “verify” printed it',
  },
  last: { value: 'COUNT', help: 'show: only so many of the newest lines' },
  json: { help: 'verify: print one JSON object, also for a failure; show: one JSON object a line' },
} as const

type Given = OptionValues<typeof options>

const ACTIONS = ['verify', 'show'] as const

export const command = defineCommand({
  options,
  operands: { required: ['ACTION'], optional: [] },
  about: [
    'The audit log says who changed what: users, keys, invitations, revocations, and what a reload changed. Each line has',
    'the hash of the line before. ACTION is:',
    '  verify  says whether a line was changed, removed or inserted',
    '  show    prints the lines, oldest first',
    'Who can write the log as root can write all of it anew. So note the number and the hash that “verify” prints in',
    'another place, and give them to --expect later.',
    'Exit status of verify: 0 if the chain holds, 65 if it is broken.',
  ],
  after: ['ghostport audit verify', 'ghostport audit verify --expect 17:9f86d081…', 'ghostport audit show --last 20'],
  run,
})

async function run(
  { operands, options: given }: ParsedCommandLine<typeof options>,
  terminal: Terminal,
): Promise<Outcome> {
  const [action = ''] = operands
  if (action !== 'verify' && action !== 'show') {
    const meant = nearest(action, ACTIONS)
    return refuse('CLI_USAGE', `there is no action “${action}” of “audit”`, {
      suggestion: `ghostport audit ${meant ?? 'verify'}`,
    })
  }
  if (action === 'show' && given.expect !== undefined)
    return refuse('CLI_USAGE', '--expect has no effect with “audit show”')
  if (action === 'verify' && given.last !== undefined)
    return refuse('CLI_USAGE', '--last has no effect with “audit verify”')
  const log = pathOf(given)
  if (!log.ok) return log
  return action === 'verify' ? verify(log.value, given, terminal) : show(log.value, given, terminal)
}

function pathOf(given: Given): Result<string> {
  if (given.log !== undefined) return ok(given.log)
  const source = configFiles({ ...given, 'access-file': undefined })
  if (!source.ok) return source
  const parsed = loadServerConfig(diskFiles(process.getuid?.() ?? 0), source.value)
  return parsed.ok ? ok(parsed.value.config.auditLog) : parsed
}

function verify(log: string, given: Given, terminal: Terminal): Outcome {
  const expected = given.expect === undefined ? ok(undefined) : parseExpected(given.expect)
  if (!expected.ok) return expected
  const verified = verifyAudit(log, expected.value)
  if (!verified.ok) return verified
  const { lines, first, last, findings } = verified.value
  if (given.json > 0) {
    terminal.printJson({ log, lines, first: first ?? null, last: last ?? null, findings })
    return findings.length === 0 ? 0 : 65
  }
  for (const { file, line, what } of findings) terminal.note(`${file}${line === undefined ? '' : `:${line}`}: ${what}`)
  if (findings.length > 0)
    return refuse(
      'AUDIT_BROKEN',
      `${log}: ${findings.length === 1 ? 'one fault' : `${findings.length} faults`}, see above`,
    )
  if (last === undefined) terminal.print(`${log}: nothing was recorded yet`)
  else {
    const older = first === undefined || first === 1 ? '' : `, from number ${first} on: older files are not here`
    terminal.print(`${log}: ${lines} lines, and no line was changed${older}`)
    terminal.print(`the last one: ${last.seq}:${last.hash}`)
  }
  return 0
}

function parseExpected(text: string): Result<AuditHead> {
  const [, seq = '', hash = ''] = /^([1-9][0-9]{0,14}):([0-9a-fA-F]{64})$/.exec(text) ?? []
  if (hash === '') return refuse('VALUE_INVALID', `--expect: “${text}” is not NUMBER:HASH, as “audit verify” prints it`)
  return ok({ seq: Number(seq), hash: hash.toLowerCase() })
}

function show(log: string, given: Given, terminal: Terminal): Outcome {
  const { last } = given
  if (last !== undefined && !/^[1-9][0-9]{0,8}$/.test(last))
    return refuse('VALUE_INVALID', `--last: “${last}” is not a whole number from 1`)
  const read = readAudit(log)
  if (!read.ok) return read
  const entries = last === undefined ? read.value : read.value.slice(-Number(last))
  for (const entry of entries) {
    if (given.json > 0) terminal.printJson(entry)
    else for (const line of describe(entry)) terminal.print(line)
  }
  return 0
}

function describe({ seq, time, by, did, to, before = [], after = [], note }: AuditEntry): readonly string[] {
  const what = to === undefined ? did : `${did} ${to}`
  return [
    printable(
      `${seq}  ${time.replace(/\.\d+Z$/, 'Z')}  ${what}  by ${describeActor(by)}${note === undefined ? '' : ` (${note})`}`,
    ),
    ...before.map((line) => `    - ${printable(line)}`),
    ...after.map((line) => `    + ${printable(line)}`),
  ]
}

function describeActor({ via, uid, loginUid, name, from }: AuditActor): string {
  const user = uid === undefined ? undefined : `uid ${uid}`
  const login = loginUid === undefined || loginUid === uid ? undefined : `logged in as uid ${loginUid}`
  return [name, user, login, from, `through: ${via}`].filter((part) => part !== undefined).join(', ')
}
