/** How `ghostport outside` fails: 2, since 1 means that something differs. */
import type { Failure } from '../../result.ts'
import type { Outcome } from '../command.ts'
import { failureJson } from '../terminal/failure-json.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { Given } from './options.ts'

const FAILED = 2

/** @returns the exit status. A command line that cannot be understood is no scan: 64, as for all commands. */
export function failed(failure: Failure, given: Given, terminal: Terminal): Outcome {
  if (failure.code === 'CLI_USAGE' || failure.code === 'VALUE_INVALID') return { ok: false, failure }
  if (given.json > 0) {
    const told = failureJson(failure)
    terminal.printJson({ ...told, error: { ...told.error, exit: FAILED } })
  }
  terminal.fail(failure)
  return FAILED
}
