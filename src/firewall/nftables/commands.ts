/**
 * Commands that add and delete elements. A list of them is one transaction, carried out completely or not at all. It
 * reaches the kernel as bytes (`batch.ts`), or as text for libnftables.
 */
import type { TableName } from '../../config/server/firewall-settings.ts'
import type { Element } from './elements.ts'

/** One command for one set of the table. */
export interface Command {
  readonly verb: 'add' | 'delete'
  readonly set: Element['set']
  readonly elements: readonly TimedElement[]
}

export interface TimedElement {
  readonly element: Element
  /** How long an added element stays: whole milliseconds, above 0. */
  readonly timeout: number
}

/** The text for libnftables, empty if there are no commands. */
export function renderCommands(table: TableName, commands: readonly Command[]): string {
  return commands
    .map(({ verb, set, elements }) => {
      const list = elements.map(verb === 'add' ? renderAdded : renderDeleted)
      return `${verb} element inet ${table} ${set} { ${list.join(', ')} }\n`
    })
    .join('')
}

function renderAdded({ element: { key, value, comment }, timeout }: TimedElement): string {
  const remark = comment === undefined ? '' : ` comment "${comment}"`
  const answer = value === undefined ? '' : ` : ${value}`
  return `${key} timeout ${renderSpan(timeout)}${remark}${answer}`
}

function renderDeleted({ element: { key, value } }: TimedElement): string {
  return value === undefined ? key : `${key} : ${value}`
}

/** A time span as nftables reads it. */
function renderSpan(milliseconds: number): string {
  const [days, rest] = [Math.floor(milliseconds / 86_400_000), milliseconds % 86_400_000]
  const [s, ms] = [Math.floor(rest / 1000), rest % 1000]
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60]
  return `${days}d${h}h${m}m${s % 60}s${ms}ms`
}
