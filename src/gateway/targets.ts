/**
 * The fixed list of targets, and how much may go to each. What goes nowhere (an id that is not in the list, a limit
 * that is reached) costs the gateway as much as what goes out: it is sent to a place inside this host where the kernel
 * throws it away. So no visitor can measure the difference.
 */

import { monotonic } from '../clock.ts'
import type { GatewayConfig, GatewayTarget, TargetId } from '../config/gateway/gateway-config.ts'
import { RateLimit } from '../http-server/sources.ts'
import { type IpAddress, parseAddress } from '../packet/address.ts'
import { TokenBucket } from '../token-bucket.ts'
import { type Milliseconds, milliseconds, port } from '../units.ts'
import { UdpLine } from './udp-line.ts'

/** @returns the first address of a host; undefined if it has none now. */
export type LookUp = (host: string) => Promise<IpAddress | undefined>

/** What became of a packet. For counts of the operator's: no visitor learns it. */
export type Fate = 'sent' | 'unknown target' | 'over target limit' | 'over total limit' | 'no address' | 'no port'

/** How often names are looked up again. */
const LOOK_AGAIN = milliseconds(60_000)
const MOST_PORTS = 4_096
/** The broadcast address of loopback: nobody listens there, and the kernel answers nothing. */
const NOWHERE = '127.255.255.255' as IpAddress
const DISCARD = port(9)
/** A port rests a little after its receipt is due: a late one must not meet the next packet. */
const REST = milliseconds(250)

export class Targets {
  readonly #targets: ReadonlyMap<TargetId, GatewayTarget>
  readonly #lines = new Map<TargetId, UdpLine>()
  readonly #wait: Milliseconds
  readonly #perTarget: RateLimit
  readonly #total: TokenBucket
  readonly #mostPorts: number
  readonly #lookUp: LookUp
  readonly #again: NodeJS.Timeout
  readonly #nowhere: UdpLine

  private constructor(config: GatewayConfig, lookUp: LookUp) {
    const { perTarget, total } = config.limits
    this.#targets = new Map(config.targets.map((target) => [target.id, target]))
    this.#wait = milliseconds(config.receiptWait + REST)
    this.#perTarget = new RateLimit(perTarget, perTarget)
    this.#total = new TokenBucket({ burst: total, perSecond: total }, monotonic())
    this.#mostPorts = Math.min(MOST_PORTS, Math.ceil((perTarget * 2 * this.#wait) / 1_000) + 8)
    this.#lookUp = lookUp
    this.#nowhere = new UdpLine(NOWHERE, DISCARD, this.#wait, MOST_PORTS)
    this.#again = setInterval(() => void this.lookUpAll(), LOOK_AGAIN)
    this.#again.unref()
  }

  static async open(config: GatewayConfig, lookUp: LookUp): Promise<Targets> {
    const targets = new Targets(config, lookUp)
    await targets.lookUpAll()
    return targets
  }

  /** @returns the ids of targets without an address. A name that cannot be looked up now keeps the address it had. */
  async lookUpAll(): Promise<readonly TargetId[]> {
    await Promise.all([...this.#targets.values()].map((target) => this.#lookUpOne(target)))
    return [...this.#targets.keys()].filter((id) => !this.#lines.has(id))
  }

  async #lookUpOne({ id, host, port }: GatewayTarget): Promise<void> {
    const literal = parseAddress(host)
    const address = literal.ok ? literal.value : await this.#lookUp(host)
    const before = this.#lines.get(id)
    if (address === undefined || before?.address === address) return
    this.#lines.set(id, new UdpLine(address, port, this.#wait, this.#mostPorts))
    // Receipts that are on their way still come.
    if (before !== undefined) setTimeout(() => before.close(), this.#wait).unref()
  }

  /** Where packets go now. */
  get addresses(): readonly { readonly id: TargetId; readonly address: IpAddress }[] {
    return [...this.#lines].map(([id, { address }]) => ({ id, address }))
  }

  send(id: TargetId, packet: string, now: Milliseconds, onReceipt: (text: string) => void): Fate {
    const isKnown = this.#targets.has(id)
    const line = this.#lines.get(id)
    // Each is asked, also if another one refuses.
    const isWithinOwn = this.#perTarget.take(isKnown ? id : '', now)
    const isWithinTotal = this.#total.take(1, now)
    const fate = !isKnown
      ? 'unknown target'
      : line === undefined
        ? 'no address'
        : !isWithinTotal
          ? 'over total limit'
          : !isWithinOwn
            ? 'over target limit'
            : 'sent'
    if (fate === 'sent' && line?.send(packet, onReceipt) === true) return fate
    this.#nowhere.send(packet, onReceipt)
    return fate === 'sent' ? 'no port' : fate
  }

  close(): void {
    clearInterval(this.#again)
    for (const line of this.#lines.values()) line.close()
    this.#nowhere.close()
  }
}
