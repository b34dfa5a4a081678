/** Which of the subcommands a client needs. The Debian package ghostport-client has these alone. */
import type { CommandTable } from './command.ts'
import { commands } from './commands.ts'

const OF_CLIENT: ReadonlySet<string> = new Set([
  'knock',
  'ssh',
  'proxy',
  'exec',
  'keygen',
  'client',
  'ui',
  'outside',
  'doctor',
  'bugreport',
  'completions',
  'version',
])
/** The help lists the commands of its own package. */
const OF_BOTH = 'help'

export const clientCommands: CommandTable = {
  ...Object.fromEntries(Object.entries(commands).filter(([name]) => OF_CLIENT.has(name))),
  [OF_BOTH]: { summary: 'show this text, or the help of one command', load: loadHelp },
}

/** The names of all others. */
export const serverCommands: ReadonlySet<string> = new Set(
  Object.keys(commands).filter((name) => !OF_CLIENT.has(name) && name !== OF_BOTH),
)

async function loadHelp() {
  const { helpFor } = await import('./help.ts')
  return { command: helpFor(clientCommands) }
}
