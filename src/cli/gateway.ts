/** `ghostport gateway`: the gateway that lets a browser knock. */
import { refuse } from '../result.ts'
import { defineCommand, type Outcome } from './command.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = {
  config: { short: 'c', value: 'FILE', help: 'the gateway’s settings (/etc/ghostport/gateway.conf)' },
  profile: {
    value: 'FILE',
    help: 'user add: the profile of a stanza for the form alone, as “ghostport user add” shows it',
  },
  target: { value: 'ID', help: 'user add: the server, by its id in gateway.conf' },
  stdin: { help: 'user add: read the password from standard input' },
  json: { help: 'user list: one JSON object on standard output' },
  check: { help: 'say whether the settings, and the user and files that they name, can be used; start nothing' },
} as const

export const command = defineCommand({
  options,
  operands: { optional: ['renew|user', 'ACTION', 'NAME'] },
  about: [
    'Runs the gateway: it takes sealed packets by HTTPS, and passes them on by UDP to the servers of a fixed list.',
    'It has no key of anybody, and needs no privilege. Run it on another host than the servers that it knocks on.',
    'docs/GATEWAY.md says how to set it up.',
    '  renew              gives a renewed CERTIFICATE_FILE to the gateway that runs. No connection ends',
    'With FORMS Y, users can knock by a plain form, after they logged in. The gateway keeps keys for them, encrypted:',
    '  user add NAME      a new user, with a password, an app for codes, and ten single-use codes',
    '  user list          all users of the form, and what it opens for them',
    '  user remove NAME   removes a user. Remove the stanza on the server too',
  ],
  after: [
    'ghostport gateway --config /etc/ghostport/gateway.conf',
    'ghostport gateway --check',
    'ghostport gateway renew',
    'ghostport gateway user add ada --profile ada-form.profile --target office',
  ],
  run,
})

async function run(
  { options: given, operands }: ParsedCommandLine<typeof options>,
  terminal: Terminal,
): Promise<Outcome> {
  const file = given.config ?? '/etc/ghostport/gateway.conf'
  const { readGatewayFile } = await import('./gateway/read-gateway-file.ts')
  const read = readGatewayFile(file)
  if (!read.ok) return read
  if (operands[0] === 'renew')
    return (await import('./server/web-renewal.ts')).renewCertificate(operands, read.value.config, 'gateway', terminal)
  if (operands.length > 0)
    return (await import('./gateway/form-users.ts')).changeFormUsers(operands, given, read.value.config, terminal)
  if (given.profile !== undefined || given.target !== undefined || given.stdin > 0 || given.json > 0)
    return refuse(
      'CLI_USAGE',
      '--profile, --target, --stdin and --json need an action: user add, user list or user remove',
    )
  if (given.check > 0) {
    const { checkGateway } = await import('./gateway/check-gateway.ts')
    const usable = await checkGateway(read.value.config)
    if (!usable.ok) return usable
    for (const notice of read.value.notices)
      terminal.note(`${notice.level}: ${notice.text}${notice.cure === undefined ? '' : ` Perhaps: ${notice.cure}`}`)
    terminal.print(`${file}: the settings can be used.`)
    return 0
  }
  const { runGateway } = await import('./gateway/run-gateway.ts')
  return runGateway(read.value)
}
