// What docs/ERRORS.md says of each code, for the console: one text for people who read documents, and for those who
// click on “Explain”.
import { readFileSync } from 'node:fs'

const ERRORS = new URL('../docs/ERRORS.md', import.meta.url)

/** @returns {Record<string, string>} code → “means, and what to do”, as Markdown */
export function explanations(text = readFileSync(ERRORS, 'utf8')) {
  /** @type {Record<string, string>} */
  const found = {}
  for (const [, code = '', means = ''] of text.matchAll(/^\| `([A-Z_]+)` *\| *\d+ *\| *[a-z]+ *\| *(.+?) *\|$/gm))
    found[code] = means
  return found
}
