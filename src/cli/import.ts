/** `ghostport import`: what an old set-up of fwknopd needs before ghostport takes its place. */
import { existsSync } from 'node:fs'
import { readRcFile } from '../client/rc-stanza.ts'
import { type ConfigSource, loadConfig } from '../config/load.ts'
import type { ConfigFiles } from '../config/reading/config-files.ts'
import type { Notice } from '../config/reading/notice.ts'
import { reviewConfig } from '../config/review.ts'
import { diskFiles } from '../daemon/warden/config-files-on-disk.ts'
import { type HostFindings, lookAtHost } from '../daemon/warden/look-at-host.ts'
import { failureKinds } from '../failure-codes.ts'
import type { Failure } from '../result.ts'
import { defineCommand, type Outcome } from './command.ts'
import { configFileOptions, configFiles } from './server/config-source.ts'
import { describeNotice, noticeJson } from './server/notice-lines.ts'
import { type PolicyTable, policyTable } from './server/policy-table.ts'
import { failureJson } from './terminal/failure-json.ts'
import { type Line, line, type Style } from './terminal/line.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import { describeFailure, type Terminal } from './terminal/terminal.ts'

const options = {
  ...configFileOptions,
  'rc-file': { value: 'FILE', help: 'the file of the client; without it, ~/.fwknoprc if it exists' },
  json: { help: 'print one JSON object' },
} as const

export const command = defineCommand({
  options,
  operands: {},
  about: [
    'Reads the files of an fwknopd and of the client, and says what must change for ghostport, what works differently, what',
    'this host lacks for it, and what to do next. Changes nothing. Exit status 0: ghostport takes the files as they are.',
  ],
  run,
})

/** What ghostport does otherwise with the same files. */
interface Difference {
  /** A stanza, or `the server`. */
  readonly where: string
  readonly about: string
  readonly fwknopd: string
  readonly ghostport: string
}

interface Import {
  /** What `ghostport serve` refuses. */
  readonly faults: readonly Failure[]
  /** What our `fwknopd` refuses, which is more lenient. */
  readonly faultOfDropIn: Failure | undefined
  readonly differences: readonly Difference[]
  readonly notices: readonly Notice[]
  /** fwknopd’s record of used packets, where there is one. */
  readonly digests: string | undefined
  /** Absent if this user has no rc file, and none was named. */
  readonly client: ClientFile | undefined
  /** What a start would miss on this host. Absent if the files have to be mended first. */
  readonly host: HostFindings | undefined
}

/** The rc file of the client. */
interface ClientFile {
  readonly path: string | undefined
  readonly stanzas: readonly string[]
  readonly faults: readonly Failure[]
}

async function run({ options: given }: ParsedCommandLine<typeof options>, terminal: Terminal): Promise<Outcome> {
  const source = configFiles(given)
  if (!source.ok) return source
  const found = await importFrom(diskFiles(process.getuid?.() ?? 0), source.value, given['rc-file'])
  const [fault] = [...found.faults, ...(found.client?.faults ?? [])]
  if (given.json > 0) terminal.printJson(importJson(found))
  else terminal.print(describeImport(found, terminal.style))
  return fault === undefined ? 0 : failureKinds[fault.code].exit
}

async function importFrom(files: ConfigFiles, source: ConfigSource, rcFile: string | undefined): Promise<Import> {
  const { faults, loaded } = reviewConfig(files, source)
  const dropIn = loadConfig(files, { ...source, dialect: 'fwknopd' })
  const [ours, theirs] = [loaded, dropIn.ok ? dropIn.value : undefined]
  const digests = theirs?.server.replay.fwknopDigests.path
  return {
    faults,
    faultOfDropIn: dropIn.ok ? undefined : dropIn.failure,
    differences: ours && theirs ? compare(policyTable(theirs), policyTable(ours)) : [],
    notices: ours?.notices ?? [],
    digests: digests !== undefined && existsSync(digests) ? digests : undefined,
    client: clientFile(rcFile),
    host: ours && (await lookAtHost(ours)),
  }
}

/** Each stanza is judged, also those that no knock uses. */
function clientFile(named: string | undefined): ClientFile | undefined {
  const read = readRcFile(named)
  if (!read.ok) return { path: named, stanzas: [], faults: [read.failure] }
  if (read.value === undefined) return undefined
  const { path, rc } = read.value
  const faults = new Map<string, Failure>()
  for (const stanza of [undefined, ...rc.stanzas]) {
    const settings = rc.settings(stanza)
    // What is wrong in [default] is wrong for every stanza.
    if (settings.ok) continue
    const { at, detail } = settings.failure
    faults.set(`${at?.line} ${detail}`, settings.failure)
  }
  return { path, stanzas: rc.stanzas, faults: [...faults.values()] }
}

/** What the same files mean to fwknopd, where they do not mean the same to us. */
function compare(fwknopd: PolicyTable, ghostport: PolicyTable): readonly Difference[] {
  const parts = (table: PolicyTable) => [
    { where: 'the server', rows: table.server },
    ...table.stanzas.map(({ stanza, rows }) => ({ where: stanza, rows })),
  ]
  const ours = new Map(parts(ghostport).map(({ where, rows }) => [where, new Map(rows)]))
  return parts(fwknopd).flatMap(({ where, rows }) =>
    rows.flatMap(([about, theirs]) => {
      const own = ours.get(where)?.get(about)
      return own === undefined || own === theirs ? [] : [{ where, about, fwknopd: theirs, ghostport: own }]
    }),
  )
}

function importJson({ faults, faultOfDropIn, differences, notices, digests, client, host }: Import) {
  return {
    ok: faults.length === 0 && (client?.faults ?? []).length === 0,
    mustChange: faults.map((fault) => failureJson(fault).error),
    dropIn: faultOfDropIn === undefined ? { ok: true } : failureJson(faultOfDropIn),
    differences,
    notices: notices.map(noticeJson),
    usedPackets: digests ?? null,
    client: client && {
      file: client.path,
      stanzas: client.stanzas,
      mustChange: client.faults.map((fault) => failureJson(fault).error),
    },
    host: host && {
      refusals: host.refusals.map((refusal) => failureJson(refusal).error),
      notices: host.notices.map(noticeJson),
    },
  }
}

function describeImport(
  { faults, faultOfDropIn, differences, notices, digests, client, host }: Import,
  style: Style,
): readonly Line[] {
  return [
    style.bold('What must change for “ghostport serve”'),
    ...(faults.length === 0 ? ['  nothing'] : faults.map((fault) => `  ${describeFailure(fault)}`)),
    '',
    ...describeClient(client, style),
    style.bold('What works differently'),
    ...differences.flatMap(({ where, about, fwknopd, ghostport }) => [
      line`  ${where}, ${about}`,
      `      fwknopd:   ${fwknopd}`,
      `      ghostport: ${ghostport}`,
    ]),
    ...notices.flatMap(describeNotice).map((text) => line`  ${text}`),
    ...(faults.length > 0 ? ['  more can be said when the errors are mended'] : []),
    '  docs/FROM-FWKNOP.md has all differences that do not depend on these files',
    '',
    ...describeHost(host, style),
    style.bold('What to do next'),
    ...nextSteps(faults.length === 0, faultOfDropIn, digests).map((step, i) => `  ${i + 1}. ${step}`),
  ]
}

function describeClient(client: ClientFile | undefined, style: Style): readonly Line[] {
  if (client === undefined) return []
  const { path, stanzas, faults } = client
  const good = `  nothing in ${path}: [default] and ${stanzas.length} more`
  return [
    style.bold('What must change for “ghostport knock”'),
    ...(faults.length === 0 ? [line`${good}`] : faults.map((fault) => `  ${describeFailure(fault)}`)),
    '',
  ]
}

/** A start as another user than root, or beside a running fwknopd, may be refused for reasons that will be gone. */
function describeHost(host: HostFindings | undefined, style: Style): readonly Line[] {
  if (host === undefined) return []
  const { refusals, notices } = host
  return [
    style.bold('What a start would say of this host, now'),
    ...refusals.map((refusal) => `  refused: ${describeFailure(refusal)}`),
    ...notices.flatMap(describeNotice).map((text) => line`  ${text}`),
    ...(refusals.length + notices.length === 0 ? ['  nothing: it has what the files need'] : []),
    '',
  ]
}

function nextSteps(
  isReady: boolean,
  faultOfDropIn: Failure | undefined,
  digests: string | undefined,
): readonly string[] {
  const dropIn =
    faultOfDropIn === undefined
      ? [
          'Or keep everything: the program “fwknopd” of this package takes the files as they are, with fwknop’s defaults.',
        ]
      : []
  if (!isReady) return ['Mend the errors above, and run “ghostport import” again.', ...dropIn]
  return [
    'Try it beside fwknopd: ghostport serve --dry-run',
    'Keep another way in, such as the console of your provider.',
    'Stop fwknopd: systemctl disable --now fwknop-server',
    'Start ghostport: ghostport unit --all /etc/systemd/system; systemctl enable --now ghostport',
    ...(digests === undefined ? [] : [`Used packets stay used: the first start reads ${digests}.`]),
    ...dropIn,
  ]
}
