/** Hooks in the executor: a program for each event, and a signed message for the sender. Both are bounded. */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { jsonLine } from '../../bytes/text.ts'
import type { Clock } from '../../clock.ts'
import type { CycleTask } from '../../commands/cycles.ts'
import type { Environment } from '../../commands/environment.ts'
import { Lanes } from '../../commands/lanes.ts'
import type { Ended } from '../../commands/run-program.ts'
import { readWebhookFiles, signMessage, type WebhookFiles } from '../../commands/webhook.ts'
import type { HookConfig } from '../../config/server/hook-settings.ts'
import type { Seconds } from '../../units.ts'
import type { HookEvent } from '../link/hook-event.ts'
import type { Post, Trust } from '../link/sender-protocol.ts'

/** Programs at once, and events that may wait for them: in all, and of one stanza. */
const PROGRAMS = { running: 4, runningOfShare: 3, waiting: { most: 256, mostOfShare: 128 } }

const LONGEST_SHARE = 64

export interface HooksParts {
  readonly run: (task: CycleTask & { readonly input: string }) => Promise<Ended>
  /** Hands a message to the sender. */
  readonly deliver: (order: Post) => void
  /** Tells the sender whose certificates count. */
  readonly trust: (trust: Trust) => void
  readonly onEnded: (event: HookEvent['event'], ended: Ended) => void
  readonly onDropped: (dropped: number) => void
  readonly clock: Clock
}

export class Hooks {
  readonly #parts: HooksParts
  readonly #lanes = new Lanes(PROGRAMS)
  #config: HookConfig | undefined
  #timeout: Seconds | undefined
  #files: WebhookFiles | undefined
  #dropped = 0

  constructor(parts: HooksParts) {
    this.#parts = parts
  }

  /** @returns why the webhook cannot be used, if it cannot. */
  configure(config: HookConfig | undefined, timeout: Seconds): string | undefined {
    this.#config = config
    this.#timeout = timeout
    this.#files = undefined
    if (config?.webhook === undefined) return undefined
    const files = readWebhookFiles(config.webhook)
    if (!files.ok) return files.failure.detail
    this.#files = files.value
    const { authorities } = files.value
    if (authorities !== undefined) this.#parts.trust({ authorities })
    return undefined
  }

  /** How many programs run or wait. */
  get busy(): number {
    return this.#lanes.running + this.#lanes.waiting
  }

  stop(): void {
    this.#lanes.clear()
  }

  tell(event: HookEvent): void {
    const { run, deliver, onEnded, onDropped, clock } = this.#parts
    const told = { version: 1, id: randomUUID(), host: hostname(), ...event }
    const { programs, runAs, webhook } = this.#config ?? {}
    const share = shareOf(event)
    if (webhook !== undefined && this.#files !== undefined)
      deliver({ share, url: webhook.url, message: signMessage(told, this.#files.key, clock.now(), told.id) })
    const words = programs?.[event.event]
    const timeout = this.#timeout
    if (words === undefined || runAs === undefined || timeout === undefined) return
    const task = { words, runAs, timeout, facts: variablesOf(event), input: `${jsonLine(told)}\n` }
    const work = async (): Promise<void> => onEnded(event.event, await run(task))
    this.#lanes.add(share, work, () => onDropped(++this.#dropped))
  }
}

/** Some events name their stanza by its name, and some by its number. */
function shareOf({ name, stanza }: HookEvent): string {
  return (name ?? `${stanza ?? ''}`).slice(0, LONGEST_SHARE)
}

/** `GHOSTPORT_EVENT`, `GHOSTPORT_FOR` and so on; a list has commas. */
function variablesOf(event: HookEvent): Environment {
  const entries = Object.entries(event).map(([name, value]): [string, string] => [
    `GHOSTPORT_${name.toUpperCase()}`,
    Array.isArray(value) ? value.join(',') : `${value}`,
  ])
  return Object.fromEntries(entries.map(([name, value]) => [name, value.replaceAll('\0', '')]))
}
