/** `ghostport policy audit`: whether this host is filtered, in three ways, and where they differ. */
import { readFileSync } from 'node:fs'
import { readHost } from '../../firewall/host/read-host.ts'
import type { HostTable } from '../../firewall/host/ruleset.ts'
import { openNftables } from '../../firewall/nftables/library.ts'
import { askKernel } from '../../host/audit/ask-kernel.ts'
import { type Judged, judgeByRules } from '../../host/audit/judge.ts'
import { type Audit, audit, type PortReport, statusOf } from '../../host/audit/report.ts'
import { ownAddress, type Target, targetKey, targetsOf } from '../../host/audit/target.ts'
import { lookForUncovered, type Uncovered } from '../../host/audit/uncovered.ts'
import { lookAtFacts } from '../../host/facts.ts'
import { type Known, notKnown, whenKnown } from '../../host/known.ts'
import { wordsInFile } from '../../host/policy/render.ts'
import { PENDING_POLICY, POLICY_FILE } from '../../host/policy/units.ts'
import { systemLooker } from '../../host/system-looker.ts'
import type { ProtocolPort } from '../../packet/message.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import type { ScanResult } from '../../scan/nmap-result.ts'
import { readScan } from '../../scan/read-scan.ts'
import type { Outcome } from '../command.ts'
import { failureJson } from '../terminal/failure-json.ts'
import { type Line, line, type Style } from '../terminal/line.ts'
import { parseCommandLine } from '../terminal/parse-command-line.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { Given } from './options.ts'
import { type FromServer, parseWishes, policyOptions, serverSettings } from './policy-options.ts'

/** The audit itself failed. */
const FAILED = 2

export async function auditPolicy(given: Given, terminal: Terminal): Promise<Outcome> {
  if (given['from-outside'] > 0) return showCommands(given, terminal)
  const done = await auditHost(given)
  if (!done.ok) {
    if (given.json > 0) {
      const told = failureJson(done.failure)
      terminal.printJson({ ...told, error: { ...told.error, exit: FAILED } })
    }
    terminal.fail(done.failure)
    // A command line that cannot be understood is no audit.
    return done.failure.code === 'CLI_USAGE' || done.failure.code === 'VALUE_INVALID' ? 64 : FAILED
  }
  const { report, uncovered, by } = done.value
  const status = statusOf(report)
  if (given.json > 0) terminal.printJson(json(report, uncovered, status))
  else terminal.print(describe(report, uncovered, by, terminal.style))
  return status
}

interface Done {
  readonly report: Audit
  readonly uncovered: readonly Uncovered[]
  /** The interface by which the kernel was asked. */
  readonly by: string | undefined
}

async function auditHost(given: Given): Promise<Result<Done>> {
  const wished = parseWishes(given)
  if (!wished.ok) return wished
  const server = serverSettings(given['config-file'])
  if (!server.ok) return server
  if (process.geteuid?.() !== 0)
    return refuse('PRIVILEGE_MISSING', 'only root may read the rules and ask the kernel: run this command as root')
  const scans = readScans(given['scan-result'])
  if (!scans.ok) return scans
  const looker = systemLooker()
  const facts = await lookAtFacts(looker, ['listening', 'interfaces', 'managers'])
  if (!facts.listening.known) return unread(facts.listening.because)
  if (!facts.interfaces.known) return unread(facts.interfaces.because)
  const tables = await readTables()
  if (!tables.ok) return tables
  const targets = targetsOf(facts.listening.value, facts.interfaces.value)
  const legacy = tables.value.some(({ by }) => by === 'iptables-legacy')
  const kernel = await askKernel(targets, legacy)
  const report = audit({
    targets,
    rules: (target) => byRules(tables.value, server.value, target),
    kernel: (target) => ofTarget(kernel, target),
    scans: scans.value,
    addresses: facts.interfaces.value.flatMap(({ addresses }) => addresses.map(({ address }) => address)),
    intended: new Set(
      [...wished.value.allow, ...server.value.listened, ...allowedByPolicy()].map(
        ({ protocol, port }) => `${protocol}/${port}`,
      ),
    ),
  })
  const uncovered = await lookForUncovered(looker, facts.listening.value)
  return ok({ report, uncovered, by: kernel.known ? kernel.value.by : undefined })
}

function unread(because: string) {
  return refuse('FIREWALL_UNAVAILABLE', `this host cannot be looked at: ${because}`)
}

/** Our own table is not walked: its sets of grants are no rules for strangers. What it protects, the settings say. */
function byRules(tables: readonly HostTable[], { table, protectedPorts }: FromServer, target: Target): Judged {
  const own = tables.find(({ family, name }) => family === 'inet' && name === table)
  const isProtected = protectedPorts.some(({ protocol, port }) => protocol === target.protocol && port === target.port)
  if (own?.chains.has('gate') === true && isProtected)
    return { verdict: 'dropped', by: `inet ${own.name} gate: PROTECTED_PORTS` }
  return judgeByRules(
    tables.filter((each) => each !== own),
    target,
  )
}

function ofTarget(kernel: Awaited<ReturnType<typeof askKernel>>, target: Target): Known<Judged> {
  if (target.address === undefined) return notKnown(`this host has no address of IPv${target.family} that others reach`)
  const answers = whenKnown(kernel, ({ judged }) => judged.get(targetKey(target)))
  if (!answers.known) return answers
  return answers.value === undefined ? notKnown('too many ports listen') : { known: true, value: answers.value }
}

/** What a policy of ours lets in, as its file says. */
function allowedByPolicy(): readonly ProtocolPort[] {
  for (const path of [PENDING_POLICY, POLICY_FILE]) {
    try {
      const words = wordsInFile(readFileSync(path, 'utf8'))
      const parsed = words === undefined ? undefined : parseCommandLine(policyOptions, {}, words)
      const wishes = parsed?.ok ? parseWishes(parsed.value.options) : undefined
      if (wishes?.ok) return wishes.value.allow
    } catch {
      // There is none.
    }
  }
  return []
}

async function readTables(): Promise<Result<readonly HostTable[], Failure>> {
  const nft = openNftables()
  if (!nft.ok) return nft
  try {
    const read = await readHost(nft.value)
    if (!read.ok) return read
    const [why] = read.value.unread
    return why === undefined ? ok(read.value.tables) : unread(why)
  } finally {
    nft.value.close()
  }
}

function readScans(files: readonly string[]): Result<readonly ScanResult[], Failure> {
  const scans: ScanResult[] = []
  for (const file of files) {
    const read = readScan(file)
    if (!read.ok) return read
    const { hosts } = read.value
    const own = hosts.find(({ address, fromItself }) => fromItself || /^(127\.|::1$)/.test(address))
    if (own !== undefined)
      return refuse(
        'SCAN_INVALID',
        `${file}: this host scanned itself (${own.address}). That proves nothing, since loopback is let in. Scan from another host`,
        { suggestion: 'ghostport policy audit --from-outside' },
      )
    scans.push(...hosts)
  }
  return ok(scans)
}

/** One command for each family, with an address that others reach. */
async function showCommands(given: Given, terminal: Terminal): Promise<Outcome> {
  const other = given['scan-result'].length > 0 ? '--scan-result' : given.allow.length > 0 ? '--allow' : undefined
  if (other !== undefined) return refuse('CLI_USAGE', `${other} has no effect with --from-outside`)
  const { interfaces } = await lookAtFacts(systemLooker(), ['interfaces'])
  const commands = ([4, 6] as const).flatMap((family) => {
    const address = interfaces.known ? ownAddress(interfaces.value, family) : undefined
    const six = family === 6 ? '-6 ' : ''
    return address === undefined ? [] : [`nmap ${six}-n -Pn -sS -p- -oX ghostport-scan-${family}.xml ${address}`]
  })
  if (commands.length === 0) {
    terminal.fail(unread('it has no address that others reach').failure)
    return FAILED
  }
  if (given.json > 0) terminal.printJson({ commands })
  else {
    terminal.note([
      'Run this as root on another host, outside of the network of this one. Behind NAT, scan the public address instead.',
      'A scan from this host itself, or of ::1, proves nothing: loopback is let in. For UDP ports add -sU, which takes hours.',
      'Then copy the files here: ghostport policy audit --scan-result FILE',
    ])
    terminal.print(commands)
  }
  return 0
}

function describe(
  { families, ports, differences, opens, unknown }: Audit,
  uncovered: readonly Uncovered[],
  by: string | undefined,
  style: Style,
): readonly Line[] {
  const found = uncovered.flatMap(({ found }) => (found.known ? found.value : []))
  const unseen = uncovered.flatMap(({ about, found }) =>
    found.known ? [] : [`${about}: not checked because ${found.because}`],
  )
  const part = (title: string, lines: readonly Line[]): readonly Line[] =>
    lines.length === 0 ? [] : ['', style.bold(title), ...lines]
  return [
    ...families.map(({ family, filtered, because, present }) => {
      const said = filtered === 'yes' ? style.good('yes') : filtered === 'no' ? style.bad('no') : style.bad('unclear')
      const none = present ? '' : ', but this host has no such address'
      return line`Is IPv${family} filtered on this host? ${said} (${because})${none}`
    }),
    ...part('ports, for a stranger', table(ports, style)),
    ...part(
      'the answers differ',
      differences.map((each) => line`  ${style.bad('!')} ${each}`),
    ),
    ...part(
      'open, and not asked for with --allow',
      opens.map((each) => line`  ${style.bad('!')} ${each}`),
    ),
    ...part(
      'not known',
      [...unknown, ...unseen].map((each) => `  ${each}`),
    ),
    ...part(
      'what rules do not cover',
      found.map((each) => `  ${each}`),
    ),
    '',
    by === undefined
      ? 'The kernel was not asked.'
      : `The kernel was asked by packets over an interface of their own (${by}): a rule for one interface may treat others differently.`,
  ]
}

/** A row for each port, with both families side by side. */
function table(ports: readonly PortReport[], style: Style): readonly Line[] {
  const hasScan = ports.some(({ outside }) => outside !== undefined)
  const rows = new Map<string, PortReport[]>()
  for (const port of ports) {
    const name = port.listening ? `${port.protocol}/${port.port}` : `${port.protocol}, any other`
    rows.set(name, [...(rows.get(name) ?? []), port])
  }
  const cell = (port: PortReport | undefined): string => {
    if (port === undefined) return '-'
    const kernel = port.kernel.known ? port.kernel.value.verdict : '?'
    const both = kernel === port.rules.verdict ? kernel : `${port.rules.verdict}, kernel: ${kernel}`
    return hasScan ? `${both}, outside: ${port.outside ?? '?'}` : both
  }
  const cells = [...rows].map(([name, each]) => {
    const programs = [...new Set(each.flatMap(({ programs }) => programs))].join(', ')
    return [
      programs === '' ? name : `${name} ${programs}`,
      cell(each.find(({ family }) => family === 4)),
      cell(each.find(({ family }) => family === 6)),
    ] as const
  })
  const widths = [0, 1].map((column) => Math.max(4, ...cells.map((row) => row[column]?.length ?? 0)))
  const shown = ([a, b, c]: readonly [string, string, string]): string =>
    `  ${a.padEnd(widths[0] ?? 0)}  ${b.padEnd(widths[1] ?? 0)}  ${c}`
  return [style.dim(shown(['', 'IPv4', 'IPv6'])), ...cells.map(shown)]
}

function json(
  { families, ports, differences, opens, unknown }: Audit,
  uncovered: readonly Uncovered[],
  status: number,
) {
  return {
    ok: status === 0,
    status,
    families: families.map(({ family, filtered, because, present }) => ({
      ...{ family: `IPv${family}`, filtered, because, hasAddress: present },
    })),
    ports: ports.map(({ family, protocol, port, address, programs, listening, rules, kernel, outside, intended }) => ({
      ...{ family: `IPv${family}`, protocol, port, listening, programs, intended, rules },
      address: address ?? null,
      kernel: kernel.known ? kernel.value : { verdict: 'not known', by: kernel.because },
      outside: outside ?? null,
    })),
    differences,
    opens,
    unknown,
    uncovered: uncovered.map(({ about, found }) => ({
      about,
      found: found.known ? found.value : null,
      ...(!found.known && { because: found.because }),
    })),
  }
}
