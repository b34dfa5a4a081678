/** `ghostport gate`: the server without capture, which opens what other nodes of its cluster grant. */
import { refuse } from '../result.ts'
import { defineCommand, type Outcome } from './command.ts'
import { runServe } from './serve.ts'
import { configFileOptions, configFiles } from './server/config-source.ts'
import type { ParsedCommandLine } from './terminal/parse-command-line.ts'
import type { Terminal } from './terminal/terminal.ts'

const options = {
  ...configFileOptions,
  'helper-socket': {
    value: 'PATH',
    help: 'have systemd start the process that asks the cluster, by this socket',
  },
} as const

export const command = defineCommand({
  options,
  operands: {},
  about: [
    'Opens what other nodes of the cluster grant (GATES), where a stanza here has FROM_CLUSTER Y. Captures nothing, and',
    'starts no receiver. The same as “ghostport serve” with CAPTURE none. See docs/CLUSTER.md.',
  ],
  after: ['Signals: HUP reads the configuration again; TERM and INT stop it. Live grants survive both.'],
  run,
})

async function run({ options: given }: ParsedCommandLine<typeof options>, terminal: Terminal): Promise<Outcome> {
  const files = configFiles(given)
  if (!files.ok) return files
  const helperSocket = given['helper-socket']
  if (helperSocket !== undefined && !helperSocket.startsWith('/'))
    return refuse('VALUE_INVALID', `--helper-socket: ${helperSocket}: needs a path from the root`)
  const source = { ...files.value, overrides: [{ name: 'CAPTURE', value: 'none', flag: 'ghostport gate' } as const] }
  return await runServe(source, { ...(helperSocket !== undefined && { helperSocket }) }, terminal)
}
