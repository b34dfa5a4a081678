/**
 * What a code means, in plain words, and what to do: the sentences of docs/ERRORS.md, which the build puts into the
 * page. Warnings about the host (`HOST_…`) and codes of a newer server have none.
 */
import { failureKinds } from '../../../src/failure-codes.ts'

declare global {
  /** Code → its text in docs/ERRORS.md, by the build (web/explanations.mjs). */
  var CONSOLE_EXPLANATIONS: Readonly<Record<string, string>> | undefined
}

/** Half a sentence: `the packet is too old`. @returns undefined for a code that is not known. */
export function reasonOf(code: string): string | undefined {
  const known: Readonly<Record<string, { readonly sentence: string } | undefined>> = failureKinds
  return Object.hasOwn(known, code) ? known[code]?.sentence : undefined
}

/** Text, and text that is code. */
export interface Piece {
  readonly text: string
  readonly isCode: boolean
}

/** @returns sentences; empty for a code that is not known. */
export function explanationOf(code: string): readonly Piece[] {
  const all = globalThis.CONSOLE_EXPLANATIONS ?? {}
  return Object.hasOwn(all, code) ? piecesOf(all[code] ?? '') : []
}

/** @param markdown a cell of a table: code between backquotes, and links. */
export function piecesOf(markdown: string): readonly Piece[] {
  return markdown
    .replaceAll(/\[([^\]]+)\]\([^)]*\)/g, '$1')
    .split('`')
    .map((text, i) => ({ text, isCode: i % 2 === 1 }))
    .filter(({ text }) => text !== '')
}
