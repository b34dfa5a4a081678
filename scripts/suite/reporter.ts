/**
 * A reporter of node:test that writes what the tally needs as JSON, one event a line. Runs in the process of the tests, and ends
 * it where the last test left something open: node:test would wait for that until the time limit of the file.
 */
import { inspect } from 'node:util'
import type { TestEvent } from './tally.ts'

interface Reported {
  readonly type: string
  readonly data: {
    readonly name: string
    readonly nesting: number
    readonly skip?: string | boolean
    readonly details?: { readonly type?: string; readonly error?: unknown }
  }
}

/** How long, in milliseconds, a file may go on after its last test. */
const PATIENCE = Number(process.env['GHOSTPORT_TEST_PATIENCE'] ?? 15_000)
// It is not for the programs that the tests start.
delete process.env['GHOSTPORT_TEST_PATIENCE']

export async function* report(source: AsyncIterable<Reported>): AsyncGenerator<string> {
  let unfinished = 0
  let patience: NodeJS.Timeout | undefined
  for await (const { type, data } of source) {
    if (data.nesting === 0 && (type === 'test:enqueue' || type === 'test:complete')) {
      unfinished += type === 'test:enqueue' ? 1 : -1
      clearTimeout(patience)
      // A process that holds nothing open ends before this.
      if (unfinished === 0) patience = setTimeout(giveUp, PATIENCE).unref()
    }
    if (type !== 'test:pass' && type !== 'test:fail') continue
    const error = data.details?.error
    const event: TestEvent = {
      passed: type === 'test:pass',
      name: data.name,
      nesting: data.nesting,
      isSuite: data.details?.type === 'suite',
      ...(data.skip !== undefined && data.skip !== false && { skip: data.skip === true ? '' : data.skip }),
      ...(error !== undefined && { error: describe(error) }),
    }
    yield `${JSON.stringify(event)}\n`
  }
}

function giveUp(): void {
  const open = process.getActiveResourcesInfo().join(', ')
  process.stderr.write(`${PATIENCE / 1000} s after the last test of this file, something is still open: ${open}\n`)
  process.exit(1)
}

// node:test wraps what was thrown; the wrapper knows the kind of failure, its cause is what the reader wants to see.
function describe(error: unknown): { readonly kind: string; readonly text: string } {
  const wrapper = error as { readonly failureType?: string; readonly cause?: unknown }
  const thrown = wrapper.cause ?? error
  return { kind: wrapper.failureType ?? '', text: typeof thrown === 'string' ? thrown : inspect(thrown, { depth: 8 }) }
}

// node --test-reporter takes the default export of a module, and no other.
// biome-ignore lint/style/noDefaultExport: see above
export default report
