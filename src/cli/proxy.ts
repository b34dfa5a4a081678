/** `ghostport proxy`: not in this build. */
import { refuse } from '../result.ts'
import type { Terminal } from './terminal.ts'

export async function run(_argv: readonly string[], terminal: Terminal): Promise<number> {
  return terminal.fail(refuse('CLI_USAGE', 'the proxyr is not part of this build').failure)
}
