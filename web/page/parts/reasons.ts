/** What the codes of the server mean, in plain words. A part of its own: most knocks are not refused. */
import { failureKinds } from '../../../src/failure-codes.ts'

/** @param code as docs/ERRORS.md lists them; a newer server may have others. */
export function reasonOf(code: string): string | undefined {
  const known: Readonly<Record<string, { readonly sentence: string } | undefined>> = failureKinds
  return Object.hasOwn(known, code) ? known[code]?.sentence : undefined
}
