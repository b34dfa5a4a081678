/**
 * A line for a terminal: text, of which some may be marked up. What is marked is kept apart from the text, so that no
 * text can mark up anything: all of it is made printable when it is shown, also what comes from outside.
 */
import { printable } from '../../bytes/text.ts'

/** SGR codes (ECMA-48): on, off. */
const marks = { bold: [1, 22], dim: [2, 22], good: [32, 39], bad: [31, 39] } as const
type Mark = keyof typeof marks

interface Piece {
  readonly text: string
  readonly mark?: Mark
}

/**
 * Text with marks, made by {@link style} and {@link line}. No class: the compiled starter and commands each have a copy
 * of this file.
 */
export interface MarkedText {
  readonly pieces: readonly Piece[]
}

/** One line. A line feed in it is shown as `\\n`, as is all that cannot be printed. */
export type Line = string | MarkedText

export type Style = { readonly [M in Mark]: (text: string) => MarkedText }

const marked =
  (mark: Mark) =>
  (text: string): MarkedText => ({ pieces: [{ text, mark }] })
export const style: Style = {
  bold: marked('bold'),
  dim: marked('dim'),
  good: marked('good'),
  bad: marked('bad'),
}

/** Puts a line together: ``line`${style.good('open')}: ${address}` ``. */
export function line(fixed: TemplateStringsArray, ...values: readonly (Line | number)[]): MarkedText {
  const pieces = fixed.flatMap((text, n): readonly Piece[] => {
    const value = values[n]
    if (value === undefined) return [{ text }]
    return typeof value === 'object' ? [{ text }, ...value.pieces] : [{ text }, { text: String(value) }]
  })
  return { pieces }
}

/** @returns the line as a terminal takes it, without its end. */
export function renderLine(shown: Line, coloured: boolean): string {
  const pieces = typeof shown === 'string' ? [{ text: shown }] : shown.pieces
  return pieces.map((piece) => renderPiece(piece, coloured)).join('')
}

function renderPiece({ text, mark }: Piece, coloured: boolean): string {
  const plain = printable(text)
  if (mark === undefined || !coloured) return plain
  const [on, off] = marks[mark]
  return `\x1b[${on}m${plain}\x1b[${off}m`
}
