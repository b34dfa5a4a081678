/** A notice about a configuration, as a terminal shows it and as `--json` says it. */
import type { Notice } from '../../config/reading/notice.ts'
import type { Line } from '../terminal/line.ts'

export function describeNotice({ level, text, cure, at }: Notice): readonly Line[] {
  const location = at === undefined ? '' : `${at.file}:${at.line}: `
  return [`${level}: ${location}${text}`, ...(cure === undefined ? [] : [`    do: ${cure}`])]
}

export function noticeJson({ level, text, cure, at }: Notice) {
  return { level, text, cure: cure ?? null, file: at?.file ?? null, line: at?.line ?? null }
}
