/** `ghostport console`: what administrators see of a running server, in a browser. */
import { refuse } from '../result.ts'
import { defineCommand, type Outcome } from './command.ts'
import { options } from './console/options.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

export const command = defineCommand({
  options,
  operands: { optional: ['ACTION', 'WORD', 'NAME'] },
  about: [
    'Runs the console: a page that shows live grants, events and users of the server on this host, and ends grants. It has',
    'no key and no privilege. The server answers it where CONSOLE_USER is set in fwknopd.conf.',
    'docs/CONSOLE.md says how to set it up. With an ACTION:',
    '  account add NAME --role ROLE  a new account: viewer (looks), operator (ends and extends grants) or administrator',
    '                                (changes users too)',
    '  account role NAME --role ROLE another role for an account. Its sessions end',
    '  account list                  all accounts',
    '  account reset NAME            removes app for codes, passkeys and links of an account, and ends its sessions',
    '  account remove NAME           removes an account, and ends its sessions',
    '  login NAME                    prints a link that logs NAME in, once',
    '  renew                         gives a renewed CERTIFICATE_FILE to the console that runs. No connection ends',
    '  metrics-token                 makes the token for /metrics, and prints it or writes it into --file FILE',
  ],
  after: [
    'ghostport console account add ada --role administrator',
    'ghostport console login ada',
    'ghostport console --check',
  ],
  run,
})

async function run(
  { options: given, operands }: ParsedCommandLine<typeof options>,
  terminal: Terminal,
): Promise<Outcome> {
  const { readConsoleFile } = await import('./console/read-console-file.ts')
  const read = readConsoleFile(given.config)
  if (!read.ok) return read
  const misplaced = (['role', 'for', 'file'] as const).find((name) => given[name] !== undefined)
  if (operands[0] === 'renew') {
    if (misplaced !== undefined || given.json > 0 || given.check > 0)
      return refuse(
        'CLI_USAGE',
        `--${misplaced ?? (given.json > 0 ? 'json' : 'check')} has no effect with “console renew”`,
      )
    const { renewCertificate } = await import('./server/web-renewal.ts')
    return renewCertificate(operands, read.value.config, 'console', terminal)
  }
  if (operands.length > 0)
    return (await import('./console/actions.ts')).act(operands, given, read.value.config, terminal)
  if (misplaced !== undefined || given.json > 0)
    return refuse(
      'CLI_USAGE',
      `--${misplaced ?? 'json'} has no effect without an action: account, login or metrics-token`,
    )
  if (given.check > 0) {
    for (const notice of read.value.notices)
      terminal.note(`${notice.level}: ${notice.text}${notice.cure === undefined ? '' : ` Perhaps: ${notice.cure}`}`)
    terminal.print(`${read.value.file}: the settings can be used.`)
    return 0
  }
  const { runConsole } = await import('./console/run-console.ts')
  return runConsole(read.value)
}
