/** The subcommands: a line for the help each, and their modules, loaded only when asked for so that a knock starts fast. */
import type { CommandTable } from './command.ts'

export const commands: CommandTable = {
  knock: { summary: 'ask a server to open a port for you', load: () => import('./knock.ts') },
  ssh: { summary: 'knock, wait for the door, then ssh', load: () => import('./ssh.ts') },
  proxy: { summary: 'the same as a ProxyCommand of ssh', load: () => import('./proxy.ts') },
  keygen: { summary: 'make the two keys that client and server share', load: () => import('./keygen.ts') },
  serve: { summary: 'the server: watch for knocks and open doors', load: () => import('./serve.ts') },
  unit: { summary: 'print a unit for systemd that runs the server', load: () => import('./unit.ts') },
  status: { summary: 'what a running server has open', load: () => import('./status.ts') },
  help: {
    summary: 'this, or the help of one command',
    load: async () => (await import('./help.ts')).helpFor(commands),
  },
  version: { summary: 'the version of ghostport and of its protocol', load: () => import('./version.ts') },
}
