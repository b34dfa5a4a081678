/**
 * The words of the command line. Node reads them as UTF-8 and puts U+FFFD for what is not, so that different keys
 * become the same; on Linux the bytes can be had from /proc.
 */
import { readFileSync } from 'node:fs'
import { textFromBytes } from '../../bytes/text.ts'

/** What Node puts where bytes are not UTF-8. */
export const UNKNOWN_BYTES = '\uFFFD'

/** The words after the program and its script, by `textFromBytes` where the system tells their bytes. */
export function commandLineWords(): readonly string[] {
  const words = process.argv.slice(2)
  if (!words.some((word) => word.includes(UNKNOWN_BYTES))) return words
  try {
    return exactWords(words, readFileSync('/proc/self/cmdline')) ?? words
  } catch {
    return words
  }
}

/**
 * @param words the last of the command line, as Node gives them.
 * @param commandLine all of it as Linux gives it: each word with a NUL after it.
 * @returns the words by their bytes; undefined where those are other words.
 */
export function exactWords(words: readonly string[], commandLine: Uint8Array): readonly string[] | undefined {
  const pieces: Uint8Array[] = []
  for (let start = 0; start < commandLine.length; ) {
    const nul = commandLine.indexOf(0, start)
    const end = nul < 0 ? commandLine.length : nul
    pieces.push(commandLine.subarray(start, end))
    start = end + 1
  }
  const last = pieces.slice(Math.max(0, pieces.length - words.length))
  const same = last.length === words.length && last.every((piece, i) => lossyText(piece) === words[i])
  return same ? last.map(textFromBytes) : undefined
}

function lossyText(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
}
