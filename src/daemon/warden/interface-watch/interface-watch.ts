/**
 * Looks at the interfaces of PCAP_INTF every INTF_CHECKS_INTERVAL, and once more for each status. Logs what begins and
 * what ends, each once (docs/INTERFACES.md).
 */
import { monotonic } from '../../../clock.ts'
import type { ServerConfig } from '../../../config/server/server-config.ts'
import type { Log } from '../../../log.ts'
import { type Milliseconds, milliseconds, seconds } from '../../../units.ts'
import { type Condition, compare, conditionsOf, type Holding, type LinkLook } from './conditions.ts'
import type { Links } from './kernel-links.ts'

/** The least time between two looks: anybody who may ask for the status can cause one. */
const LEAST_PAUSE = milliseconds(1000)
/** Without checks. */
const DEFAULT_INTERVAL = seconds(20)
const NOTHING: LinkLook = new Map()

/** In `ghostport status`. */
export interface ConditionStatus extends Condition {
  /** How long it has held, in seconds. */
  readonly seconds: number
}

export interface InterfaceWatchParts {
  /** Opens the way to the kernel, at the first look. */
  readonly open: () => Promise<Links>
  /** The settings in force. */
  readonly server: () => Pick<ServerConfig, 'captures' | 'interfaceChecks'>
  /** Called at each look: an interface may have come, or come again, under another index. */
  readonly onLook?: () => void
  readonly log: Log
  readonly now?: () => Milliseconds
}

export class InterfaceWatch {
  readonly #parts: InterfaceWatchParts
  readonly #now: () => Milliseconds
  #links: Links | undefined
  #before = NOTHING
  #holding: readonly Holding[] = []
  #fault: string | undefined
  #lookedAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  #state: 'not begun' | 'running' | 'closed' = 'not begun'

  constructor(parts: InterfaceWatchParts) {
    this.#parts = parts
    this.#now = parts.now ?? monotonic
  }

  /** Call it when packets are being received: until then nothing waits for a look. */
  async begin(): Promise<void> {
    if (this.#state !== 'not begun' || !isOfUse(this.#parts.server().captures)) return
    this.#state = 'running'
    try {
      const links = await this.#parts.open()
      if (this.#isClosed) links.close()
      else this.#links = links
    } catch (error) {
      this.#faulty((error as Error).message)
      return
    }
    this.#lookAndWait()
  }

  /** What holds now. */
  current(): readonly ConditionStatus[] {
    if (this.#now() - this.#lookedAt >= LEAST_PAUSE) this.#look()
    return this.#holding.map(({ since, ...condition }) => ({
      ...condition,
      seconds: Math.round((this.#now() - since) / 1000),
    }))
  }

  close(): void {
    this.#state = 'closed'
    clearTimeout(this.#timer)
    this.#links?.close()
    this.#links = undefined
  }

  get #isClosed(): boolean {
    return this.#state === 'closed'
  }

  #lookAndWait(): void {
    if (this.#isClosed) return
    this.#look()
    // Without checks too: a reload may bring some.
    const { interval = DEFAULT_INTERVAL } = this.#parts.server().interfaceChecks ?? {}
    this.#timer = setTimeout(() => this.#lookAndWait(), 1000 * interval)
    this.#timer.unref()
  }

  #look(): void {
    const { interfaceChecks: checks, captures } = this.#parts.server()
    if (this.#links === undefined) return
    const now = this.#now()
    this.#lookedAt = now
    if (checks === undefined) {
      this.#before = NOTHING
      this.#holding = []
      return
    }
    this.#parts.onLook?.()
    const { links: asked, fault } = this.#links.look(namesOf(captures))
    // What could not be asked for is as it was.
    const links = new Map(
      [...this.#before].filter(([name]) => fault !== undefined && !asked.has(name)).concat([...asked]),
    )
    if (fault !== undefined) this.#faulty(fault)
    else this.#fault = undefined
    const changes = compare(this.#holding, conditionsOf(links, this.#before, checks), now)
    this.#before = links
    this.#holding = changes.holding
    const { log } = this.#parts
    for (const { code, level, interface: name, text, cure } of changes.begun)
      log.write(level, 'interface', { code, interface: name, text, ...(cure !== undefined && { cure }) })
    for (const { code, interface: name, text, lasted } of changes.ended)
      log.write('info', 'interface mended', { code, interface: name, text, lasted })
  }

  /** Once for each reason. */
  #faulty(fault: string): void {
    if (this.#fault !== fault) this.#parts.log.write('warning', 'interfaces not watched', { detail: fault })
    this.#fault = fault
  }
}

/** These settings need a restart: what is of no use now stays so. */
function isOfUse(captures: ServerConfig['captures']): boolean {
  return namesOf(captures).length > 0 || captures.some(({ promiscuous }) => promiscuous === true)
}

/** Those of PCAP_INTF. With `any` there is none. */
function namesOf(captures: ServerConfig['captures']): readonly string[] {
  const named = captures.flatMap(({ kind, interfaces }) =>
    kind === 'packet' && interfaces !== 'any' ? interfaces : [],
  )
  return [...new Set(named)]
}
