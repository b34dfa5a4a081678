/**
 * `fwknopd -v -v` shows the rules of its chains after each grant, as iptables lists them, and as commands. This is a
 * log that passes on what it gets, and asks for the rules after a grant. While it asks, further grants wait for one
 * more listing.
 */
import { isGrant } from '../../daemon/warden/rule-ends.ts'
import type { Log, LogField, LogLevel } from '../../log.ts'

/** The rules as text; undefined if they cannot be read now. */
export type ListRules = () => Promise<string | undefined>

export class ShownRules implements Log {
  readonly #log: Log
  readonly #list: ListRules
  #asking = false
  #again = false

  constructor(log: Log, list: ListRules) {
    this.#log = log
    this.#list = list
  }

  write(level: LogLevel, event: string, fields?: { readonly [name: string]: LogField }): void {
    this.#log.write(level, event, fields)
    if (!isGrant(event, fields ?? {})) return
    this.#again = true
    void this.#show()
  }

  async #show(): Promise<void> {
    if (this.#asking) return
    this.#asking = true
    while (this.#again) {
      this.#again = false
      const rules = await this.#list()
      if (rules !== undefined && rules !== '') this.#log.write('info', 'rules', { lines: rules.trimEnd().split('\n') })
    }
    this.#asking = false
  }
}
