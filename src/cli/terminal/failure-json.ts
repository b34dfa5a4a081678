/** What `--json` says of a command that failed (docs/CLIENT.md). */
import { failureKinds } from '../../failure-codes.ts'
import type { Failure } from '../../result.ts'
import type { Terminal } from './terminal.ts'

export function failureJson({ code, detail, at, suggestion }: Failure) {
  return {
    ok: false,
    error: {
      code,
      exit: failureKinds[code].exit,
      detail,
      file: at?.file ?? null,
      line: at?.line ?? null,
      suggestion: suggestion ?? null,
    },
  }
}

/**
 * How a command with the option `--json` fails. The words are looked at before they are understood: a command line that
 * cannot be understood is a failure too.
 * @returns a function that shows a failure, as JSON too where it was asked for, and returns the exit status.
 */
export function failWithJson(argv: readonly string[], terminal: Terminal): (failure: Failure) => number {
  return (failure) => {
    if (asksForJson(argv)) terminal.printJson(failureJson(failure))
    return terminal.fail(failure)
  }
}

function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return argv.slice(0, end < 0 ? undefined : end).includes('--json')
}
