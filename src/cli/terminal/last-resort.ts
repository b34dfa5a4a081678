/** The message for an error that nothing expected: one sentence, never a stack trace. */
import { asAscii } from '../../bytes/text.ts'
import { type Failure, refuse } from '../../result.ts'

/** Messages of Node.js that quote the value which they complain about, and so could show a key. */
const QUOTES_A_VALUE = /^ERR_(INVALID|OUT_OF_RANGE|UNKNOWN)/

/** @returns the failure for an error that is a defect of ghostport, with the line of code for the report. */
export function internalFailure(error: unknown): Failure<'INTERNAL_ERROR'> {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  // The function as well: of the compiled program, the file says little.
  const [, name, source] =
    /^ +at (?:(?:async )?([\w.$#<>]+)[^(\n]* \()?[^\n]*?([\w.-]+\.[jt]s:\d+):\d+\)?$/m.exec(stack) ?? []
  const where = source === undefined ? '' : ` (${[name, source].filter(Boolean).join(', ')})`
  return refuse('INTERNAL_ERROR', `${describe(error)}${where}`, { suggestion: 'report this line to the project' })
    .failure
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'an unknown error'
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  if (code !== undefined && QUOTES_A_VALUE.test(code)) return `${error.name} ${code}`
  const [line = ''] = error.message.split('\n')
  return `${error.name}: ${asAscii(line).slice(0, 200)}`
}
