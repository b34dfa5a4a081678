/** A secret line: typed where standard input is a terminal, else read from there. */
import { readSync } from 'node:fs'
import { textFromBytes } from '../../bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { errorCode, systemReason } from '../../system/errno.ts'
import type { Terminal } from './terminal.ts'

/** More than any line of ours has: the parser then says that it is too long. */
const MOST_INPUT = 8192

/**
 * @param code of the failure if nothing can be read.
 * @param suggestion for that.
 */
export async function readTyped(
  question: string,
  terminal: Terminal,
  code: 'PROFILE_INVALID' | 'INVITATION_INVALID' | 'BUNDLE_INVALID',
  suggestion?: string,
): Promise<Result<string, Failure>> {
  if (!process.getBuiltinModule('node:tty').isatty(0)) return readStandardInput(code, suggestion)
  const typed = await terminal.askSecret(question)
  return typed.ok ? ok(textFromBytes(typed.value)) : typed
}

function readStandardInput(
  code: 'PROFILE_INVALID' | 'INVITATION_INVALID' | 'BUNDLE_INVALID',
  suggestion: string | undefined,
): Result<string, Failure> {
  const bytes = Buffer.alloc(MOST_INPUT)
  let length = 0
  try {
    for (let got = -1; got !== 0 && length < bytes.length; length += got)
      got = readSync(0, bytes, length, bytes.length - length, null)
  } catch (error) {
    if (errorCode(error) !== 'EOF')
      return refuse(code, `standard input cannot be read: ${errorCode(error) ?? systemReason(error)}`)
  }
  if (length === 0) return refuse(code, 'standard input is empty', suggestion === undefined ? {} : { suggestion })
  return ok(textFromBytes(bytes.subarray(0, length)))
}
