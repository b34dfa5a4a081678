/** `ghostport gateway`: the gateway that lets a browser knock. */
import { defineCommand, type Outcome } from './command.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = {
  config: { short: 'c', value: 'FILE', help: 'the gateway’s settings (/etc/ghostport/gateway.conf)' },
  check: { help: 'say whether the settings can be used, and start nothing' },
} as const

export const command = defineCommand({
  options,
  operands: {},
  about: [
    'Runs the gateway: it takes sealed packets by HTTPS, and passes them on by UDP to the servers of a fixed list.',
    'It has no key of anybody, and needs no privilege. Run it on another host than the servers that it knocks on.',
    'docs/GATEWAY.md says how to set it up.',
  ],
  after: ['ghostport gateway --config /etc/ghostport/gateway.conf', 'ghostport gateway --check'],
  run,
})

async function run({ options: given }: ParsedCommandLine<typeof options>, terminal: Terminal): Promise<Outcome> {
  const file = given.config ?? '/etc/ghostport/gateway.conf'
  const { readGatewayFile } = await import('./gateway/read-gateway-file.ts')
  const read = readGatewayFile(file)
  if (!read.ok) return read
  if (given.check > 0) {
    for (const notice of read.value.notices)
      terminal.note(`${notice.level}: ${notice.text}${notice.cure === undefined ? '' : ` Perhaps: ${notice.cure}`}`)
    terminal.print(`${file}: the settings can be used.`)
    return 0
  }
  const { runGateway } = await import('./gateway/run-gateway.ts')
  return runGateway(read.value)
}
