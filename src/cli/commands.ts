/**
 * All subcommands: a line of the overview for each, and its module, which exports it as `command`. A new one is a file
 * and a line here. A module is loaded only when it is needed, so that a knock starts fast.
 */
import type { CommandTable } from './command.ts'

export const commands: CommandTable = {
  knock: { summary: 'ask a server to open a port for you', load: () => import('./knock.ts') },
  ssh: { summary: 'knock, wait until the port is open, then run ssh', load: () => import('./ssh.ts') },
  proxy: { summary: 'the same, as a ProxyCommand for ssh', load: () => import('./proxy.ts') },
  exec: { summary: 'knock, wait until the port is open, then run a command', load: () => import('./exec.ts') },
  keygen: { summary: 'make the two keys that client and server share', load: () => import('./keygen.ts') },
  client: { summary: 'add a server to ~/.fwknoprc, by the profile that it gave', load: () => import('./client.ts') },
  ui: { summary: 'open a page in the browser: all stanzas, and a button for each', load: () => import('./ui.ts') },
  user: { summary: 'add, list and change the users of the server', load: () => import('./user.ts') },
  node: { summary: 'keep the list of servers that share the users’ secrets', load: () => import('./node.ts') },
  cluster: {
    summary: 'let several servers accept each packet once between them',
    load: () => import('./cluster.ts'),
  },
  invite: { summary: 'invite a user: a link that is good once, or a sealed file', load: () => import('./invite.ts') },
  audit: { summary: 'show who changed what, or prove that nobody touched that log', load: () => import('./audit.ts') },
  serve: { summary: 'run the server: watch for knocks and open ports', load: () => import('./serve.ts') },
  gate: {
    summary: 'run a server that captures nothing, and opens what other nodes grant',
    load: () => import('./gate.ts'),
  },
  gateway: { summary: 'run the gateway: it lets a browser knock', load: () => import('./gateway.ts') },
  console: {
    summary: 'run the console: grants, events and users of the server in a browser',
    load: () => import('./console.ts'),
  },
  check: {
    summary: 'say all that is wrong with the configuration, and what it allows',
    load: () => import('./check.ts'),
  },
  explain: { summary: 'say what the server would do with a packet, step by step', load: () => import('./explain.ts') },
  simulate: { summary: 'say what the configuration allows, without a packet', load: () => import('./simulate.ts') },
  import: { summary: 'say what an old set-up of fwknopd needs', load: () => import('./import.ts') },
  init: { summary: 'set this host up, with a way back at each step', load: () => import('./init.ts') },
  uninstall: { summary: 'take back what init changed on this host', load: () => import('./uninstall.ts') },
  unit: { summary: 'print a unit for systemd that runs the server', load: () => import('./unit.ts') },
  policy: { summary: 'give a host without a policy one that drops by default', load: () => import('./policy.ts') },
  status: { summary: 'show what a running server has open', load: () => import('./status.ts') },
  revoke: { summary: 'end grants now, with the connections that they let in', load: () => import('./revoke.ts') },
  bugreport: { summary: 'print what helps to mend a fault, and no secret', load: () => import('./bugreport.ts') },
  outside: { summary: 'show what others see of a host, and what changed', load: () => import('./outside.ts') },
  doctor: { summary: 'say what is wrong on this host, and what mends it', load: () => import('./doctor.ts') },
  completions: { summary: 'print completions for bash, zsh or fish', load: () => import('./completions.ts') },
  help: { summary: 'show this text, or the help of one command', load: loadHelp },
  version: { summary: 'show the versions of ghostport and of its protocol', load: () => import('./version.ts') },
}

async function loadHelp() {
  const { helpFor } = await import('./help.ts')
  return { command: helpFor(commands) }
}
