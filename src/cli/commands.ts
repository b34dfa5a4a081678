/** The subcommands: a line for the help each, and their modules, loaded only when asked for so that a knock starts fast. */
import type { Terminal } from './terminal.ts'

/** What each subcommand's module exports. */
export interface Command {
  /**
   * @param argv the words after the subcommand.
   * @returns the exit status: 0, or that of the failure shown (failure-codes.ts).
   */
  run(argv: readonly string[], terminal: Terminal): Promise<number>
}

export interface CommandEntry {
  readonly summary: string
  readonly load: () => Promise<Command>
}

export const commands: Readonly<Record<string, CommandEntry>> = {
  knock: { summary: 'ask a server to open a port for you', load: () => import('./knock.ts') },
  ssh: { summary: 'knock, wait for the door, then ssh', load: () => import('./ssh.ts') },
  proxy: { summary: 'the same as a ProxyCommand of ssh', load: () => import('./proxy.ts') },
  keygen: { summary: 'make the two keys that client and server share', load: () => import('./keygen.ts') },
  serve: { summary: 'the server: watch for knocks and open doors', load: () => import('./serve.ts') },
  status: { summary: 'what a running server has open', load: () => import('./status.ts') },
  help: { summary: 'this, or the help of one command', load: () => import('./help.ts') },
  version: { summary: 'the version of ghostport and of its protocol', load: () => import('./version.ts') },
}
