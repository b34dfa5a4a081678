/** The lines of what `iptables-save` prints. */

/**
 * A comment of a rule is between double quotes, and may hold the end of a line. What follows there is no rule: else a
 * user whose text becomes a comment could make up a rule of ours.
 */
export function savedLines(text: string): readonly string[] {
  const lines: string[] = []
  let parts: string[] = []
  let isQuoted = false
  for (const part of text.split('\n')) {
    if (isQuoted || !part.startsWith('#'))
      for (const _ of part.replace(/\\./gs, '').matchAll(/"/g)) isQuoted = !isQuoted
    parts.push(part)
    if (isQuoted) continue
    lines.push(parts.join('\n'))
    parts = []
  }
  return lines
}
