/** The subcommands: a line of help for each, and its module. A module is loaded only when needed, so that a knock starts fast. */
import type { CommandTable } from './command.ts'

export const commands: CommandTable = {
  knock: { summary: 'ask a server to open a port for you', json: true, load: () => import('./knock.ts') },
  ssh: { summary: 'knock, wait until the port is open, then run ssh', load: () => import('./ssh.ts') },
  proxy: { summary: 'the same, as a ProxyCommand for ssh', load: () => import('./proxy.ts') },
  keygen: { summary: 'make the two keys that client and server share', json: true, load: () => import('./keygen.ts') },
  serve: { summary: 'run the server: watch for knocks and open ports', load: () => import('./serve.ts') },
  unit: { summary: 'print a unit for systemd that runs the server', load: () => import('./unit.ts') },
  status: { summary: 'show what a running server has open', json: true, load: () => import('./status.ts') },
  help: {
    summary: 'show this text, or the help of one command',
    load: async () => (await import('./help.ts')).helpFor(commands),
  },
  version: {
    summary: 'show the versions of ghostport and of its protocol',
    json: true,
    load: () => import('./version.ts'),
  },
}
