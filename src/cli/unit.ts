/** `ghostport unit`: the unit for systemd, with the paths of node and of this package on this machine. */
import { readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ok, type Result, refuse } from '../result.ts'
import { systemReason } from '../system/errno.ts'
import { judgeFile } from '../system/file-trust.ts'
import { defineCommand, type Outcome } from './command.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = {
  'config-file': { short: 'c', value: 'FILE', help: 'the server’s settings (/etc/fwknop/fwknopd.conf)' },
  'access-file': { short: 'a', value: 'FILE', help: 'the stanzas (/etc/fwknop/access.conf)' },
  receiver: { help: 'instead: the unit of the receiver, which the server then starts through systemd' },
  'receiver-socket': { help: 'instead: the socket by which the server asks for its receiver' },
  helper: {
    help: 'instead: the unit of the helpers, which look up names, run gpg, deliver webhooks and ask the cluster',
  },
  'helper-socket': { help: 'instead: the socket by which the server asks for its helpers' },
  all: { value: 'FOLDER', help: 'write the unit, and those of the receiver and the helpers, into this folder' },
  gate: { help: 'instead, for FIREWALL_MODE gate: a unit that closes the protected ports before the network is up' },
} as const

/** What the unit names. Absolute paths. */
export interface UnitPaths {
  readonly node: string
  /** Words for node before the entry file. */
  readonly nodeOptions: readonly string[]
  /** The folder of the package. */
  readonly home: string
  /** Below {@link home}. */
  readonly entry: string
  readonly settings: string
  readonly stanzas: string
}

/** Those of packaging/ghostport.service. */
export const standardPaths: UnitPaths = {
  node: '/usr/bin/node',
  nodeOptions: [],
  home: '/usr/lib/node_modules/ghostport',
  entry: 'dist/cli/ghostport.js',
  settings: '/etc/fwknop/fwknopd.conf',
  stanzas: '/etc/fwknop/access.conf',
}

/** The server makes no machine code, so that no memory of it needs to be both writable and executable. */
const WITHOUT_COMPILER = '--jitless'
/** An option that an old Node lacks. */
const NEWER_OPTION = '--disable-sigusr1'
/** What the units of receiver and helpers run, below {@link UnitPaths.home}: compiled, and the source. */
const PROGRAMS = [
  ['dist/daemon/receiver.js', 'src/daemon/receiver/program.ts'],
  ['dist/daemon/gnupg.js', 'src/daemon/gnupg/program.ts'],
  ['dist/daemon/sender.js', 'src/daemon/sender/program.ts'],
  ['dist/daemon/cluster.js', 'src/daemon/cluster/program.ts'],
] as const

/** Where an administrator puts node, or a link to it that outlives an upgrade. */
const USUAL_NODES = ['/usr/bin/node', '/usr/local/bin/node']
/** What the unit’s switches hide from the service, and which switch it is. */
const HIDDEN: readonly (readonly [folder: string, by: string])[] = [
  ['/home/', 'ProtectHome=yes'],
  ['/root/', 'ProtectHome=yes'],
  ['/run/user/', 'ProtectHome=yes'],
  ['/tmp/', 'PrivateTmp=yes'],
  ['/var/tmp/', 'PrivateTmp=yes'],
]

export const command = defineCommand({
  options,
  operands: {},
  about: [
    'Prints a unit for systemd that runs this ghostport with this Node.js. Changes nothing by itself. Warns of what would keep',
    'the service from starting, and of paths that users other than root can change. Where the settings have commands,',
    'the unit does not limit what the service may do. With the units of --all beside it, systemd starts the receiver',
    'with next to no rights, and the server may not change users. Printed alone, the unit lets it do both by itself.',
  ],
  after: [
    'ghostport unit --all /etc/systemd/system',
    'systemctl daemon-reload && systemctl enable --now ghostport',
    '',
    'ghostport unit --gate > /etc/systemd/system/ghostport-gate.service',
    'systemctl daemon-reload && systemctl enable ghostport-gate',
  ],
  run,
})

async function run({ options: given }: ParsedCommandLine<typeof options>, terminal: Terminal): Promise<Outcome> {
  if (given.gate > 0) {
    const { printGateUnit } = await import('./server/gate-unit.ts')
    return printGateUnit(given['config-file'] ?? standardPaths.settings, terminal)
  }
  const settings = given['config-file'] ?? standardPaths.settings
  const stanzas = given['access-file'] ?? standardPaths.stanzas
  const paths = pathsHere(settings, stanzas)
  const chosen = chosenUnit(given)
  if (!chosen.ok) return chosen
  const unit = unitFor(paths, chosen.value)
  if (!unit.ok) return unit
  for (const warning of unitWarnings(paths)) terminal.note(`ghostport: warning: ${warning}`)
  if (chosen.value !== SERVER_UNIT) {
    printUnit(unit.value, terminal)
    return 0
  }
  const { suited, wantsCommandUnit, withOwnProcesses } = await import('./server/command-unit.ts')
  const wanted = wantsCommandUnit(paths.settings, paths.stanzas)
  if (wanted === true)
    terminal.note('ghostport: warning: the settings have commands, so this unit does not limit what the service may do')
  else if (typeof wanted === 'string')
    terminal.note(
      `ghostport: warning: this unit is for a server that runs no commands: the settings cannot be read: ${wanted}`,
    )
  const text = suited(unit.value, paths.settings, paths.stanzas)
  if (given.all === undefined) {
    printUnit(withOwnProcesses(text), terminal)
    return 0
  }
  return writeUnits(given.all, text, paths, terminal)
}

/** One of {@link UNITS}. @returns CLI_USAGE for two at once. */
function chosenUnit(given: ParsedCommandLine<typeof options>['options']): Result<UnitName> {
  const asked = [
    ...(given.receiver > 0 ? ['--receiver'] : []),
    ...(given['receiver-socket'] > 0 ? ['--receiver-socket'] : []),
    ...(given.helper > 0 ? ['--helper'] : []),
    ...(given['helper-socket'] > 0 ? ['--helper-socket'] : []),
    ...(given.all === undefined ? [] : ['--all']),
  ]
  if (asked.length > 1) return refuse('CLI_USAGE', `${asked[0]} and ${asked[1]} cannot be used together`)
  if (given.receiver > 0) return ok(RECEIVER_UNIT)
  if (given['receiver-socket'] > 0) return ok(RECEIVER_SOCKET)
  if (given.helper > 0) return ok(HELPER_UNIT)
  return ok(given['helper-socket'] > 0 ? HELPER_SOCKET : SERVER_UNIT)
}

function printUnit(text: string, terminal: Terminal): void {
  terminal.print(text.replace(/\n$/, '').split('\n'))
}

/** Writes all of them, or fails at the first that cannot be written. @param server the text of the server’s unit. */
function writeUnits(folder: string, server: string, paths: UnitPaths, terminal: Terminal): Outcome {
  const units: [string, string][] = [[SERVER_UNIT, server]]
  for (const name of UNITS_BESIDE) {
    const unit = unitFor(paths, name)
    if (!unit.ok) return unit
    units.push([name, unit.value])
  }
  for (const [name, text] of units) {
    const path = join(folder, name)
    const half = `${path}.new`
    try {
      writeFileSync(half, text, { mode: 0o644 })
      renameSync(half, path)
    } catch (error) {
      rmSync(half, { force: true })
      return refuse('CONFIG_UNWRITABLE', `${path}: ${systemReason(error)}`)
    }
    terminal.print([`wrote ${path}`])
  }
  return 0
}

/** With the node and the ghostport that run now. @param settings absolute, as `stanzas`. */
export function pathsHere(settings: string, stanzas: string): UnitPaths {
  // The same distance from src/cli/ and from dist/cli/.
  const home = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')
  // The file beside this one; compiled, this may be that of another command.
  const entry = fileURLToPath(import.meta.url)
    .slice(home.length + 1)
    .replace(/[^/]+\.(ts|js)$/, 'ghostport.$1')
  return { node: stableName(process.execPath), nodeOptions: process.execArgv, home, entry, settings, stanzas }
}

/** The files of packaging/: the server, its receiver, its helpers, and the sockets by which it asks for them. */
export const SERVER_UNIT = 'ghostport.service'
export const RECEIVER_UNIT = 'ghostport-receiver@.service'
export const RECEIVER_SOCKET = 'ghostport-receiver.socket'
export const HELPER_UNIT = 'ghostport-helper@.service'
export const HELPER_SOCKET = 'ghostport-helper.socket'
/** All but that of the server. */
export const UNITS_BESIDE = [RECEIVER_UNIT, RECEIVER_SOCKET, HELPER_UNIT, HELPER_SOCKET] as const
export const UNITS = [SERVER_UNIT, ...UNITS_BESIDE] as const
export type UnitName = (typeof UNITS)[number]

/** @returns the unit, with that of a server that runs no commands; failures are those of {@link fillUnit}. */
function unitFor(paths: UnitPaths, name: UnitName = SERVER_UNIT): Result<string> {
  return fillUnit(readFileSync(`${paths.home}/packaging/${name}`, 'utf8'), paths)
}

/** What `ghostport unit` prints for these files. */
export async function printedUnit(
  settings: string,
  stanzas: string,
  name: UnitName = SERVER_UNIT,
): Promise<Result<string>> {
  const unit = unitFor(pathsHere(settings, stanzas), name)
  if (!unit.ok || name !== SERVER_UNIT) return unit
  const { suited } = await import('./server/command-unit.ts')
  return ok(suited(unit.value, settings, stanzas))
}

/**
 * @param template the text of one of {@link UNITS}.
 * @returns it with other paths. VALUE_INVALID for a path that would need quoting there, or is not absolute.
 */
export function fillUnit(template: string, paths: UnitPaths): Result<string> {
  const { node, nodeOptions, home, entry, settings, stanzas } = paths
  for (const path of [node, home, settings, stanzas])
    if (!path.startsWith('/')) return refuse('VALUE_INVALID', `${path}: a unit needs an absolute path`)
  // systemd gives meaning to spaces, quotes, %, $ and \.
  for (const word of [node, ...nodeOptions, home, settings, stanzas])
    if (!/^[\w/.,:=@+~-]+$/.test(word))
      return refuse(
        'VALUE_INVALID',
        `“${word}” cannot be written in a unit: use a path of letters, digits and . , : = @ + ~ - _`,
      )
  const standard = standardPaths
  const others = nodeOptions.filter((option) => option !== WITHOUT_COMPILER)
  const isNew = process.allowedNodeEnvironmentFlags.has(NEWER_OPTION)
  let text = template
  for (const [compiled, source] of PROGRAMS) {
    // The source is run from its own tree.
    const program = entry.endsWith('.ts') ? source : compiled
    text = text.replaceAll(
      new RegExp(`${standard.node} ((?:--\\S+ )+)${standard.home}/${compiled} `, 'g'),
      (_, options: string) => {
        const own = options.trim().split(' ')
        const allowed = isNew ? own : own.filter((option) => option !== NEWER_OPTION)
        return `${[node, ...others, ...allowed, `${home}/${program}`].join(' ')} `
      },
    )
  }
  const replaced = text
    .replaceAll(
      `${standard.node} ${WITHOUT_COMPILER} ${standard.home}/${standard.entry} `,
      `${[node, ...others, WITHOUT_COMPILER, `${home}/${entry}`].join(' ')} `,
    )
    .replaceAll(`file://${standard.home}/`, `file://${home}/`)
    .replaceAll(`-c ${standard.settings} -a ${standard.stanzas}`, `-c ${settings} -a ${stanzas}`)
  return ok(replaced)
}

/** What would keep the service from starting, or let others than root change what root runs. */
export function unitWarnings(paths: UnitPaths): readonly string[] {
  const { node, home } = paths
  const exposed = [node, home].flatMap((path) => {
    const why = exposedBy(path)
    return why === undefined ? [] : [`${path}: the service runs it as root, but ${why}`]
  })
  return [...unitObstacles(paths), ...exposed]
}

/** What would keep the service from starting. */
export function unitObstacles({ node, home, settings, stanzas }: UnitPaths): readonly string[] {
  return [node, home, settings, stanzas].flatMap((path) => {
    const found = HIDDEN.find(([folder]) => `${realName(path)}/`.startsWith(folder))
    if (found === undefined) return []
    const cure =
      path === node
        ? 'Put a Node.js into /usr/local/bin and run “/usr/local/bin/node $(command -v ghostport) unit”'
        : path === home
          ? 'Install the package for the whole system: “npm pack”, then “npm install -g --ignore-scripts ./ghostport-*.tgz”'
          : 'Keep the file in /etc/fwknop'
    return [`${path}: the service cannot see what is below ${found[0]} (${found[1]}), and would not start. ${cure}`]
  })
}

/** The name of a Node.js that stays when the one behind a link is replaced. */
function stableName(node: string): string {
  return USUAL_NODES.find((usual) => realName(usual) === node) ?? node
}

function realName(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

/** @returns who besides root can change the file, or what leads to it. */
function exposedBy(path: string): string | undefined {
  const owners = new Set([0])
  try {
    return judgeFile(path, { owners })?.detail
  } catch {
    return undefined
  }
}
