/** A knock that names several stanzas (`-n a,b`): one after the other, and one that fails does not stop the next. */
import type { Failure } from '../../result.ts'
import type { Outcome } from '../command.ts'

/**
 * @param one knocks with one stanza.
 * @param tell says why one of several failed. @returns the exit status for it.
 * @returns the outcome of the only stanza. For several: 0, or the exit status of the first that failed.
 */
export async function knockOnEach(
  names: readonly string[],
  one: (name: string) => Promise<Outcome>,
  tell: (failure: Failure) => number,
): Promise<Outcome> {
  const [only, ...others] = names
  if (only === undefined) throw new Error('a knock without a stanza')
  if (others.length === 0) return one(only)
  let first = 0
  for (const name of names) {
    const outcome = await one(name)
    const status = typeof outcome === 'number' ? outcome : tell(ofStanza(outcome.failure, name))
    if (first === 0) first = status
  }
  return first
}

function ofStanza(failure: Failure, name: string): Failure {
  return { ...failure, detail: `stanza [${name}]: ${failure.detail}` }
}
