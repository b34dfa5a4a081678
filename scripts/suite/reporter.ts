/** A reporter of node:test that writes what the tally needs as JSON, one event a line. Runs in the process of the tests. */
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

export async function* report(source: AsyncIterable<Reported>): AsyncGenerator<string> {
  for await (const { type, data } of source) {
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

// node:test wraps what was thrown; the wrapper knows the kind of failure, its cause is what the reader wants to see.
function describe(error: unknown): { readonly kind: string; readonly text: string } {
  const wrapper = error as { readonly failureType?: string; readonly cause?: unknown }
  const thrown = wrapper.cause ?? error
  return { kind: wrapper.failureType ?? '', text: typeof thrown === 'string' ? thrown : inspect(thrown, { depth: 8 }) }
}

// node --test-reporter takes the default export of a module, and no other.
// biome-ignore lint/style/noDefaultExport: see above
export default report
