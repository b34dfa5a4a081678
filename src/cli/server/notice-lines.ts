/** A notice about a configuration, as a terminal shows it. */
import type { Notice } from '../../config/reading/notice.ts'
import type { Line } from '../terminal/line.ts'

export function describeNotice({ level, text, cure, at }: Notice): readonly Line[] {
  const location = at === undefined ? '' : `${at.file}:${at.line}: `
  return [`${level}: ${location}${text}`, ...(cure === undefined ? [] : [`    do: ${cure}`])]
}
