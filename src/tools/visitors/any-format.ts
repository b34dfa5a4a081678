/** Logs whose form nobody named: each line is read in the form of the line before it, or in another usual one. */
import { isIP } from 'node:net'
import { readJsonLine } from './json-line.ts'
import { compileFormat, type LineReader, type NAMED_FORMATS } from './log-format.ts'

/** The end of a line of the form common. A combined line that was cut off must not count as one without an agent. */
const COMMON_END = /" [1-9]\d\d (?:\d+|-)$/

/** A reader for one log: a log may change its form in the middle. */
export function anyFormat(): LineReader {
  const common = named('common')
  const readers: readonly LineReader[] = [
    named('combined'),
    named('vhost_combined'),
    (line) => (COMMON_END.test(line) ? common(line) : undefined),
    readJsonLine,
  ]
  let [current] = readers as [LineReader]
  return (line) => {
    const visit = current(line)
    if (visit !== undefined) return visit
    for (const reader of readers) {
      const found = reader === current ? undefined : reader(line)
      if (found === undefined) continue
      current = reader
      return found
    }
    return undefined
  }
}

function named(name: keyof typeof NAMED_FORMATS): LineReader {
  const compiled = compileFormat(name)
  if (!compiled.ok) throw new Error(compiled.failure.detail)
  const read = compiled.value
  return (line) => {
    const visit = read(line)
    return visit !== undefined && isAddressOrName(visit.address) ? visit : undefined
  }
}

/** Not a virtual host with its port, which another form has there. */
function isAddressOrName(text: string): boolean {
  return text.includes(':') ? isIP(text) === 6 : text !== '-'
}
