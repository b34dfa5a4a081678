/** Which visits count: the options of the command line, asked in the order of their price. */
import type { Agent } from './agent.ts'
import { shownText } from './byte-text.ts'
import { isIn } from './networks.ts'
import type { Selection } from './request.ts'
import type { Visit } from './visit.ts'

/** Whether the day is within --since and --until. */
export function isInTime(day: string, { since, until }: Selection): boolean {
  if (since !== undefined && day < since) return false
  return until === undefined || day.slice(0, until.length) <= until
}

/**
 * Remembers what a pattern said of a text: agents come again and again. A pattern sees the text as it is shown, not its
 * bytes.
 */
export class Matcher {
  readonly #pattern: RegExp
  readonly #known = new Map<string, boolean>()

  constructor(pattern: RegExp) {
    this.#pattern = pattern
  }

  matches(bytes: string, own: (text: string) => string): boolean {
    if (bytes.length > LONGEST_KNOWN) return this.#pattern.test(shownText(bytes))
    const known = this.#known.get(bytes)
    if (known !== undefined) return known
    if (this.#known.size >= MOST_KNOWN) this.#known.clear()
    const found = this.#pattern.test(shownText(bytes))
    this.#known.set(own(bytes), found)
    return found
  }
}

const MOST_KNOWN = 2_000
const LONGEST_KNOWN = 500

/** All but the time and the agent. */
export function isSelected(
  selection: Selection,
  visit: Visit,
  path: string,
  line: string,
  { kind }: Pick<Agent, 'kind'>,
): boolean {
  const { statuses, kinds, networks } = selection
  if (kinds !== undefined && !kinds.has(kind)) return false
  if (statuses !== undefined && !statuses.test(String(visit.status))) return false
  if (networks !== undefined && !isIn(networks, visit.address)) return false
  if (selection.path !== undefined && !selection.path.test(shownText(path))) return false
  return selection.line === undefined || selection.line.test(shownText(line))
}
