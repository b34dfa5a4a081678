/**
 * Looks at the interfaces of PCAP_INTF and at the addresses of this host every INTF_CHECKS_INTERVAL, and once more for
 * each status. Logs what begins and what ends, each once (docs/INTERFACES.md).
 */
import type { Policy } from '../../../access/policy.ts'
import type { Witness } from '../../../capture/packet-socket/witness.ts'
import { monotonic } from '../../../clock.ts'
import { type CaptureConfig, capturedPorts, type ServerConfig } from '../../../config/server/server-config.ts'
import { formatCapturePort } from '../../../config/server/spa-ports.ts'
import type { Log } from '../../../log.ts'
import type { Result } from '../../../result.ts'
import { type Milliseconds, milliseconds, seconds } from '../../../units.ts'
import { type AddressLook, addressChanges, addressFields, settingsThatName, withoutAddress } from './addresses.ts'
import { type Condition, compare, conditionsOf, type Holding, type LinkLook } from './conditions.ts'
import type { Links } from './kernel-links.ts'
import {
  nextSilence,
  type Reception,
  type ReceptionLook,
  type Silence,
  silenceConditions,
  type Where,
} from './reception.ts'

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
  readonly settings: () => {
    readonly server: Pick<ServerConfig, 'captures' | 'interfaceChecks' | 'firewall'>
    readonly policy: Pick<Policy, 'stanzas' | 'nat'>
  }
  /** Called at each look: an interface may have come, or come again, under another index. */
  readonly onLook?: () => void
  /** Called when addresses have come or gone. */
  readonly onAddresses?: () => void
  /** Counts of this moment; undefined while no packets are received. Absent: nobody receives. */
  readonly reception?: () => Promise<Reception | undefined>
  /** Opens the witness of UDP sockets. */
  readonly openWitness?: (capture: CaptureConfig) => Promise<Result<Witness>>
  readonly log: Log
  readonly now?: () => Milliseconds
}

export class InterfaceWatch {
  readonly #parts: InterfaceWatchParts
  readonly #now: () => Milliseconds
  #links: Links | undefined
  #before = NOTHING
  #addresses: AddressLook | undefined
  /** Names of interfaces that had an address since the start: as many as PCAP_INTF has. */
  readonly #had = new Set<string>()
  #holding: readonly Holding[] = []
  #witness: Witness | 'none' | undefined
  /** At the latest look of the timer. */
  #reception: ReceptionLook | undefined
  #silence: Silence | undefined
  #where: Where | undefined
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
    if (this.#state !== 'not begun' || !isOfUse(this.#parts.settings().server.captures)) return
    this.#state = 'running'
    try {
      const links = await this.#parts.open()
      if (this.#isClosed) links.close()
      else this.#links = links
    } catch (error) {
      this.#faulty((error as Error).message)
      return
    }
    await this.#lookAndWait()
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
    this.#forgetReception()
  }

  get #isClosed(): boolean {
    return this.#state === 'closed'
  }

  async #lookAndWait(): Promise<void> {
    // Without waiting where nothing is to be waited for.
    if (this.#wanted !== undefined || this.#reception !== undefined) await this.#lookAtReception()
    if (this.#isClosed) return
    this.#look()
    // Without checks too: a reload may bring some.
    const { interval = DEFAULT_INTERVAL } = this.#parts.settings().server.interfaceChecks ?? {}
    this.#timer = setTimeout(() => void this.#lookAndWait(), 1000 * interval)
    this.#timer.unref()
  }

  /** The capture whose silence can be told, and the names of its interfaces; none for UDP sockets. */
  get #wanted(): { readonly capture: CaptureConfig; readonly names?: readonly string[] } | undefined {
    const { interfaceChecks, captures } = this.#parts.settings().server
    if (interfaceChecks?.received !== true || this.#parts.reception === undefined) return undefined
    const passive = captures.find(({ kind }) => kind === 'packet')
    if (passive !== undefined) {
      const { interfaces } = passive
      return interfaces === 'any' ? undefined : { capture: passive, names: interfaces }
    }
    const capture = captures.find(({ kind }) => kind === 'udp')
    return capture === undefined || this.#witness === 'none' ? undefined : { capture }
  }

  /** Only the timer calls it: looks for a status come at any rate. */
  async #lookAtReception(): Promise<void> {
    const wanted = this.#wanted
    const now = wanted === undefined ? undefined : await this.#parts.reception?.()
    if (wanted === undefined || now === undefined || this.#isClosed) {
      this.#forgetReception()
      return
    }
    const { capture, names } = wanted
    const before = this.#reception
    if (names !== undefined) {
      const { packets, interfaceIndex } = now.elsewhere ?? { packets: 0, interfaceIndex: 0 }
      this.#reception = { received: now.received, unheard: packets }
      const by = this.#links?.nameOf(interfaceIndex) ?? `interface ${interfaceIndex}`
      this.#where = { kind: 'elsewhere', by, wanted: names }
    } else {
      const witness = await this.#openedWitness(capture)
      if (witness === undefined || this.#isClosed) return
      this.#reception = { received: now.received, unheard: witness.count() }
      this.#where = { kind: 'socket', ports: capturedPorts(capture).map((port) => `udp/${formatCapturePort(port)}`) }
    }
    if (before !== undefined) this.#silence = nextSilence(this.#silence, before, this.#reception)
  }

  async #openedWitness(capture: CaptureConfig): Promise<Witness | undefined> {
    if (this.#witness !== undefined) return this.#witness === 'none' ? undefined : this.#witness
    const opened = await this.#parts.openWitness?.(capture)
    if (opened?.ok === true && !this.#isClosed) {
      this.#witness = opened.value
      return opened.value
    }
    if (opened?.ok === true) opened.value.close()
    else this.#witness = 'none'
    if (opened?.ok === false)
      this.#parts.log.write('info', 'notice', {
        text: `whether packets arrive that the UDP socket does not get is not watched: ${opened.failure.detail}`,
      })
    return undefined
  }

  #forgetReception(): void {
    this.#reception = undefined
    this.#silence = undefined
    this.#where = undefined
    // Each packet of this host costs it a little.
    if (this.#witness !== 'none') {
      this.#witness?.close()
      this.#witness = undefined
    }
  }

  #look(): void {
    const { interfaceChecks: checks, captures } = this.#parts.settings().server
    if (this.#links === undefined) return
    const now = this.#now()
    this.#lookedAt = now
    if (checks === undefined) {
      this.#before = NOTHING
      this.#addresses = undefined
      this.#holding = []
      return
    }
    this.#parts.onLook?.()
    const names = namesOf(captures)
    const whose = !checks.addresses ? 'none' : names === 'any' ? 'all' : 'named'
    const looked = this.#links.look(names === 'any' ? [] : names, whose)
    const { links: asked, fault } = looked
    // What could not be asked for is as it was.
    const addresses = looked.addresses ?? (whose === 'none' ? undefined : this.#addresses)
    const links = new Map(
      [...this.#before].filter(([name]) => fault !== undefined && !asked.has(name)).concat([...asked]),
    )
    if (fault !== undefined) this.#faulty(fault)
    else this.#fault = undefined
    const found = [
      ...conditionsOf(links, this.#before, checks),
      ...this.#lookAtAddresses(names, links, addresses),
      ...(this.#where === undefined ? [] : silenceConditions(this.#silence, this.#where)),
    ]
    const changes = compare(this.#holding, found, now)
    this.#before = links
    this.#holding = changes.holding
    const { log } = this.#parts
    for (const { code, level, interface: name, text, cure } of changes.begun)
      log.write(level, 'interface', { code, interface: name, text, ...(cure !== undefined && { cure }) })
    for (const { code, interface: name, text, lasted } of changes.ended)
      log.write('info', 'interface mended', { code, interface: name, text, lasted })
  }

  /** Tells of changes. @returns what holds: of an interface that does not run, that is told already. */
  #lookAtAddresses(
    names: 'any' | readonly string[],
    links: LinkLook,
    now: AddressLook | undefined,
  ): readonly Condition[] {
    const before = this.#addresses
    this.#addresses = now
    if (now === undefined) return []
    const changes = before === undefined ? undefined : addressChanges(before, now)
    if (before !== undefined && changes !== undefined && changes.added.length + changes.removed.length > 0) {
      const { server, policy } = this.#parts.settings()
      const settings = settingsThatName(changes.removed, server, policy)
      const level = settings.length > 0 ? 'warning' : 'info'
      this.#parts.log.write(level, 'addresses', addressFields(changes, before, now, settings))
      this.#parts.onAddresses?.()
    }
    const running = names === 'any' ? names : names.filter((name) => links.get(name)?.isRunning === true)
    return withoutAddress(running, now, this.#had)
  }

  /** Once for each reason. */
  #faulty(fault: string): void {
    if (this.#fault !== fault) this.#parts.log.write('warning', 'interfaces not watched', { detail: fault })
    this.#fault = fault
  }
}

/** Only packet sockets have interfaces. CAPTURE needs a restart: what is of no use now stays so. */
function isOfUse(captures: ServerConfig['captures']): boolean {
  return captures.some(({ kind }) => kind !== 'pcap-file') && (isPassive(captures) || process.getuid?.() === 0)
}

function isPassive(captures: ServerConfig['captures']): boolean {
  return captures.some(({ kind }) => kind === 'packet')
}

/** Those of PCAP_INTF; `any` also if no packets are captured from interfaces. */
function namesOf(captures: ServerConfig['captures']): 'any' | readonly string[] {
  const names = captures.flatMap(({ kind, interfaces }) => (kind === 'packet' ? [interfaces] : []))
  const [first = 'any'] = names
  return names.includes('any') || first === 'any' ? 'any' : first
}
