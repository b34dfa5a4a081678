/**
 * When more packets arrive than can be opened, the sources that send most lose theirs first. One packet socket for
 * each source would do the same, but there are more sources than sockets. To pass a packet over costs a fraction of
 * opening it.
 *
 * Packets are counted by source for a short time. While packets wait, the number that one source may have is halved
 * again and again; when none wait, it grows. So no more is passed over than has to be, and nothing while everything
 * can be opened. If no source sends much, as with random ones, none is passed over.
 *
 * Over IPv6 a source is a network of 64 bits.
 */
import { type Milliseconds, milliseconds } from '../units.ts'

/** Number of counters. Sources that share one are one source, until the next counting. */
const COUNTERS = 65_536
/** How long packets are counted. */
const COUNTED = milliseconds(50)
/** How often the limit changes, and after how many packets at least. */
const ADJUSTED = milliseconds(10)
const ADJUSTED_PACKETS = 512
/** Packets of one source that are opened in any case. A client sends a few a second. */
const LEAST = 16
/** No limit. */
const MOST = 4096
const GROWTH = 1.25

export class FairShare {
  readonly #random: () => number
  readonly #counts = new Uint16Array(COUNTERS)
  #salt: number
  /** Packets of one source that may be opened until the counting ends. */
  #limit = MOST
  #countedFrom = Number.NEGATIVE_INFINITY
  #adjusted = Number.NEGATIVE_INFINITY
  /** Packets since the limit was last adjusted. */
  #taken = 0
  /** Those of them that came in full batches. */
  #hurried = 0

  /** @param random gives numbers from 0 to 1 that no stranger can foresee. */
  constructor(random: () => number) {
    this.#random = random
    this.#salt = this.#newSalt()
  }

  /**
   * Before the packets of a batch are looked at.
   * @param size of the batch.
   * @param moreWait whether it was full, so that most likely other packets wait behind it.
   */
  begin(size: number, moreWait: boolean, now: Milliseconds): void {
    this.#taken += size
    if (moreWait) this.#hurried += size
    if (now - this.#adjusted >= ADJUSTED && this.#taken >= ADJUSTED_PACKETS) this.#adjust(now)
    else if (now - this.#adjusted >= COUNTED) this.#adjust(now)
    if (now - this.#countedFrom < COUNTED) return
    this.#countedFrom = now
    this.#counts.fill(0)
    this.#salt = this.#newSalt()
  }

  #adjust(now: Milliseconds): void {
    const isLate = this.#taken >= ADJUSTED_PACKETS && this.#hurried > 0.75 * this.#taken
    this.#limit = isLate ? Math.max(LEAST, this.#limit >> 1) : Math.min(MOST, Math.ceil(this.#limit * GROWTH))
    this.#adjusted = now
    this.#taken = 0
    this.#hurried = 0
  }

  /** Whether a packet from this IPv4 address at a place among other bytes is to be opened. */
  hasRoomFor4(bytes: Uint8Array, at: number): boolean {
    return this.#count(word(bytes, at))
  }

  /** The same for an IPv6 address. An IPv4 address in IPv6 form is a source of its own. */
  hasRoomFor6(bytes: Uint8Array, at: number): boolean {
    const [high, low] = [word(bytes, at), word(bytes, at + 4)]
    if ((high | low) === 0) return this.#count(word(bytes, at + 12))
    return this.#count(mixed(high ^ this.#salt) ^ low)
  }

  #count(source: number): boolean {
    const i = mixed(source ^ this.#salt) & (COUNTERS - 1)
    const count = (this.#counts[i] ?? 0) + 1
    // Wrapping around would begin again.
    if (count < 0xffff) this.#counts[i] = count
    return this.#limit === MOST || count <= this.#limit
  }

  #newSalt(): number {
    return (this.#random() * 2 ** 32) | 0
  }
}

function word(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)
}

/** Of 32 bits, each depends on all of them (the finaliser of MurmurHash3). */
function mixed(value: number): number {
  let bits = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
