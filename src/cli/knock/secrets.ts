/**
 * Missing keys of a knock: from standard input (`--stdin`), from a descriptor (`--fd`), or else asked on the terminal.
 */
import { readSync } from 'node:fs'
import { keyMissing } from '../../client/key-missing.ts'
import type { AskSecret } from '../../client/keys.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { errorCode, systemReason } from '../../system/errno.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { KnockOptionValues } from './knock-flags.ts'

/** @returns the way to ask for them; `VALUE_INVALID` for a descriptor that is no number. */
export function secretsFrom(
  given: Pick<KnockOptionValues, 'stdin' | 'fd'>,
  terminal: Terminal,
): Result<AskSecret, Failure<'VALUE_INVALID'>> {
  if (given.stdin === 0 && given.fd === undefined) return ok(terminal.askSecret)
  const descriptor = given.stdin > 0 ? 0 : Number(/^[0-9]{1,5}$/.exec(given.fd ?? '')?.[0] ?? Number.NaN)
  if (Number.isNaN(descriptor)) return refuse('VALUE_INVALID', `--fd: “${given.fd}” is not a descriptor’s number`)
  return ok(async (what) => {
    try {
      const line = readLine(descriptor)
      return line.length > 0 ? ok(line) : keyMissing.noLine(what, descriptor)
    } catch (error) {
      const code = errorCode(error) ?? systemReason(error)
      return keyMissing.unreadable(what, descriptor, code)
    }
  })
}

/** Longer than any key may be. */
const MAX_LINE = 1024

/**
 * Byte by byte, so that nothing past the line is taken from the next reader of the descriptor.
 * @throws the system's error.
 */
function readLine(descriptor: number): Uint8Array {
  const typed: number[] = []
  const byte = new Uint8Array(1)
  while (typed.length <= MAX_LINE && readSync(descriptor, byte) === 1 && byte[0] !== 0x0a) typed.push(byte[0] ?? 0)
  if (typed.at(-1) === 0x0d) typed.pop()
  return Uint8Array.from(typed)
}
