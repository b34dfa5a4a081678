/** `ghostport check`: all that is wrong with the configuration, what to know about it, and what it allows. */
import type { Notice } from '../config/reading/notice.ts'
import type { Failure } from '../result.ts'
import { defineCommand, type Outcome } from './command.ts'
import { configFileOptions, configFiles } from './server/config-source.ts'
import { describeNotice, noticeJson } from './server/notice-lines.ts'
import type { PolicyRow, PolicyTable } from './server/policy-table.ts'
import { failureJson } from './terminal/failure-json.ts'
import { type Line, line, type Style } from './terminal/line.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = {
  ...configFileOptions,
  json: { help: 'print one JSON object' },
} as const

export const command = defineCommand({
  options,
  operands: {},
  about: [
    'Reads both files as a start does, and this host too. Says all that is wrong, not only the first; warnings; and what',
    'each stanza allows. Changes nothing. Exit status 0: the server would start.',
  ],
  run,
})

async function run({ options: given }: ParsedCommandLine<typeof options>, terminal: Terminal): Promise<Outcome> {
  const source = configFiles(given)
  if (!source.ok) return source
  const { checkServer } = await import('./server/check-configuration.ts')
  const { faults, isCutOff, notices, policy } = await checkServer(source.value)
  if (given.json > 0)
    terminal.printJson({
      ok: faults.length === 0,
      errors: faults.map((fault) => failureJson(fault).error),
      ...(isCutOff && { moreErrors: true }),
      notices: notices.map(noticeJson),
      ...(policy !== undefined && { policy: policyJson(policy) }),
    })
  else if (policy !== undefined) terminal.print(describePolicy(policy, terminal.style))
  return told({ faults, isCutOff, notices: given.json > 0 ? [] : notices }, terminal)
}

interface Told {
  readonly faults: readonly Failure[]
  readonly isCutOff: boolean
  readonly notices: readonly Notice[]
}

/** @returns the exit status: that of the first fault, or 0. */
function told({ faults, isCutOff, notices }: Told, terminal: Terminal): number {
  for (const notice of notices) terminal.note(describeNotice(notice))
  const statuses = faults.map((fault) => terminal.fail(fault))
  if (faults.length > 1) terminal.note(`${faults.length} errors`)
  if (isCutOff) terminal.note('there may be more errors: correct these, then check again')
  return statuses[0] ?? 0
}

function policyJson({ server, stanzas }: PolicyTable) {
  return {
    server: Object.fromEntries(server),
    stanzas: stanzas.map(({ stanza, at, rows }) => ({ stanza, at, ...Object.fromEntries(rows) })),
  }
}

function describePolicy({ server, stanzas }: PolicyTable, style: Style): readonly Line[] {
  return [
    style.bold('the server'),
    ...describeRows(server),
    ...stanzas.flatMap(({ stanza, at, rows }) => ['', line`${style.bold(stanza)} (${at})`, ...describeRows(rows)]),
  ]
}

function describeRows(rows: readonly PolicyRow[]): readonly Line[] {
  const width = Math.max(...rows.map(([about]) => about.length))
  return rows.map(([about, value]) => `  ${about.padEnd(width)}  ${value}`)
}
