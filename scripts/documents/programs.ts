/** The programs of the package, with their options, from the tables that parse them. */

import { type CommandTable, withHelp } from '../../src/cli/command.ts'
import { commands } from '../../src/cli/commands.ts'
import { fwknopOptions } from '../../src/cli/fwknop/options.ts'
import { fwknopdOptions } from '../../src/cli/fwknopd/options.ts'
import type { OperandRule, OptionTable } from '../../src/cli/terminal/parse-command-line.ts'
import { GPGDIR_ABOUT, gpgdirOptions } from '../../src/tools/gpgdir/options.ts'
import { VISITORS_ABOUT, visitorsOptions } from '../../src/tools/visitors/options.ts'

/** What takes options: a program without commands, or one command. */
export interface Usage {
  readonly options: OptionTable
  readonly operands: OperandRule
  readonly about: readonly string[]
  readonly after: readonly string[]
}

export interface ProgramCommand extends Usage {
  readonly name: string
  readonly summary: string
}

export interface Program {
  readonly name: string
  /** Of the manual: 1 for users, 8 for administrators. */
  readonly section: 1 | 8
  readonly summary: string
  readonly commands: readonly ProgramCommand[]
  /** Absent for a program with commands. */
  readonly usage?: Usage
  readonly files: readonly (readonly [path: string, what: string])[]
}

const SERVER_FILES = [
  ['/etc/fwknop/fwknopd.conf', 'the settings of the server'],
  ['/etc/fwknop/access.conf', 'the stanzas: who may open what, with which keys'],
] as const
const CLIENT_FILES = [['~/.fwknoprc', 'servers, ports and keys of the client']] as const

/** @param table the commands of `ghostport`: those of the client alone, for a package without the server. */
export async function readPrograms(table: CommandTable = commands): Promise<readonly Program[]> {
  return [
    {
      name: 'ghostport',
      section: 1,
      summary: 'Single Packet Authorization: open a port with one packet',
      commands: await readCommands(table),
      files: [...CLIENT_FILES, ...SERVER_FILES],
    },
    {
      name: 'fwknop',
      section: 8,
      summary: 'the client of ghostport, with the command line of fwknop',
      commands: [],
      usage: {
        options: fwknopOptions,
        operands: {},
        about: [
          'Asks a server to open a port, as “ghostport knock” does. The options, the rc file, the exit status and the messages',
          'are those of fwknop. A long option may be cut short as long as it is unambiguous.',
        ],
        after: [],
      },
      files: CLIENT_FILES,
    },
    {
      name: 'fwknopd',
      section: 8,
      summary: 'the server of ghostport, with the command line of fwknopd',
      commands: [],
      usage: {
        options: fwknopdOptions,
        operands: {},
        about: [
          'Receives knocks and opens ports, as “ghostport serve” does. The options, the defaults, the exit status and the log',
          'lines are those of fwknopd. The program goes into the background, unless -f is given.',
        ],
        after: [],
      },
      files: SERVER_FILES,
    },
    {
      name: 'gpgdir',
      section: 1,
      summary: 'encrypt, decrypt, sign or verify each file of a tree with GnuPG, in place',
      commands: [],
      usage: { options: gpgdirOptions, operands: {}, about: GPGDIR_ABOUT, after: [] },
      files: [['~/.gpgdirrc', 'the key of gpgdir']],
    },
    {
      name: 'visitors',
      section: 1,
      summary: 'who visits a web server: reports of its access logs',
      commands: [],
      usage: { options: visitorsOptions, operands: { rest: 'LOG' }, about: VISITORS_ABOUT, after: [] },
      files: [],
    },
  ]
}

async function readCommands(table: CommandTable): Promise<readonly ProgramCommand[]> {
  const read: ProgramCommand[] = []
  for (const [name, { summary, load }] of Object.entries(table)) {
    const { command } = await load()
    const { options, operands, about, after = [] } = command
    read.push({ name, summary, options: withHelp(options), operands, about, after })
  }
  return read
}

/** Options that the help shows: those that are refused by name are left out. */
export function shownOptions({ options }: Pick<Usage, 'options'>) {
  return Object.entries(options).flatMap(([name, { short, value, help, unsupported }]) =>
    help === undefined || unsupported !== undefined || help.startsWith('refused: ')
      ? []
      : [{ name, short, value, help, takesPath: value !== undefined && PATHS.has(value) }],
  )
}

/** Names of values that shells complete as paths. */
const PATHS: ReadonlySet<string> = new Set(['FILE', 'FILE[,FILE]', 'FOLDER', 'PATH', 'DIRECTORY'])
