/** Questions to the person at the terminal, also where standard input and output are redirected. */
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { printable } from '../../bytes/text.ts'

/** @returns the line that was typed, without blanks around it; undefined if there is no terminal, or it hung up. */
export function ask(question: string): string | undefined {
  let descriptor: number
  try {
    descriptor = openSync('/dev/tty', constants.O_RDWR | constants.O_NOCTTY)
  } catch {
    return undefined
  }
  try {
    writeSync(descriptor, `${printable(question)} `)
    const typed: number[] = []
    const byte = Buffer.alloc(1)
    while (typed.length < LONGEST) {
      if (readSync(descriptor, byte) === 0) return typed.length === 0 ? undefined : text(typed)
      if (byte[0] === NEWLINE) break
      typed.push(byte[0] ?? NEWLINE)
    }
    return text(typed)
  } catch {
    return undefined
  } finally {
    closeSync(descriptor)
  }
}

const NEWLINE = 0x0a
const LONGEST = 4096

function text(typed: readonly number[]): string {
  return Buffer.from(typed).toString('utf8').trim()
}
