/**
 * What the console may look at by a command of ghostport's own: users, the policy, what the doctor finds,
 * the audit log. Each starts a program as root. So one runs at a time, all who ask meanwhile get its answer, and for a
 * while it is not asked again.
 */
import { monotonic } from '../../../clock.ts'
import type { ConfigSource } from '../../../config/load.ts'
import type { Result } from '../../../result.ts'
import { type Milliseconds, milliseconds } from '../../../units.ts'
import type { OwnCommands } from './own-command.ts'

export const LOOKS = ['users', 'policy', 'doctor', 'audit'] as const
export type Look = (typeof LOOKS)[number]

/** How long an answer is good. */
const GOOD_FOR: Readonly<Record<Look, Milliseconds>> = {
  users: milliseconds(3_000),
  policy: milliseconds(10_000),
  doctor: milliseconds(30_000),
  audit: milliseconds(3_000),
}
/** Lines of the audit log that a console sees: the newest. `ghostport audit show` has all. */
const AUDIT_LINES = 2_000

interface Kept {
  readonly answer: Promise<Result<unknown>>
  hasBegun: boolean
  /** Undefined: it runs still. */
  until: Milliseconds | undefined
}

export class Looks {
  readonly #commands: OwnCommands
  readonly #kept = new Map<Look, Kept>()
  #last: Promise<unknown> = Promise.resolve()

  constructor(commands: OwnCommands) {
    this.#commands = commands
  }

  /** @returns what the command printed as JSON; CONSOLE_REFUSED if it printed none. */
  look(look: Look, source: ConfigSource): Promise<Result<unknown>> {
    const kept = this.#kept.get(look)
    if (kept !== undefined && (kept.until === undefined || monotonic() < kept.until)) return kept.answer
    const answer = this.#last.then(() => {
      fresh.hasBegun = true
      return this.#run(look, source)
    })
    const fresh: Kept = { answer, hasBegun: false, until: undefined }
    this.#kept.set(look, fresh)
    this.#last = answer.then(() => {
      fresh.until = milliseconds(monotonic() + GOOD_FOR[look])
    })
    return answer
  }

  /** Something was changed: what was seen before is not good any more. What waits for its turn will see it. */
  forget(): void {
    for (const [look, { hasBegun }] of this.#kept) if (hasBegun) this.#kept.delete(look)
  }

  #run(look: Look, source: ConfigSource): Promise<Result<unknown>> {
    const settings = ['--config-file', source.server]
    const files = [...settings, ...(source.access === undefined ? [] : ['--access-file', source.access])]
    switch (look) {
      case 'users':
        return this.#commands.run(['user', 'list', '--json', ...files])
      case 'policy':
        return this.#commands.run(['check', '--json', ...files])
      case 'doctor':
        return this.#commands.run(['doctor', '--server', '--json', ...files])
      case 'audit':
        return this.#audit(settings)
      default:
        return look satisfies never
    }
  }

  async #audit(settings: readonly string[]): Promise<Result<unknown>> {
    const shown = await this.#commands.runLines([
      ...['audit', 'show', '--json', '--last', String(AUDIT_LINES)],
      ...settings,
    ])
    if (!shown.ok) return shown
    const verified = await this.#commands.run(['audit', 'verify', '--json', ...settings])
    return verified.ok ? { ok: true, value: { entries: shown.value, verified: verified.value } } : verified
  }
}
