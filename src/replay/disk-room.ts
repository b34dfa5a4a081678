/**
 * How much room a file system has left, and what the replay store makes of it. The store never takes the last of a
 * disk: what frees entries writes to a log first, so a store that filled its disk to the last byte could not even
 * forget.
 */
import { statfsSync } from 'node:fs'

const KIB = 1024
const MIB = 1024 * KIB

/** With less than this, in bytes, the store writes in small pieces and keeps its log short. */
const ROOMY = 16 * MIB
/**
 * With less than this the database does not grow any more, except for keys that have few entries. A small disk: a
 * quarter.
 */
const ROOM_TO_GROW = 1536 * KIB
/** Pages that a claim may take, so that a database with as many free ones need not grow. */
const PAGES_PER_CLAIM = 2
/** What one claim may take: its page, the page that it splits off, and both in the log. */
const BYTES_PER_CLAIM = 16 * KIB

/** `few`: only for keys with few entries. Nobody can take this room from them, however many packets he sends. */
export type Room = 'all' | 'few' | 'none'

/** What a key may have of the room that is for keys with few entries. */
export const FEW = 64

export class DiskRoom {
  /** Bytes that the store can still write. */
  readonly free: number
  readonly #toGrow: number

  /** @param disk its bytes in all, and those that the store can still write. */
  constructor(disk: { readonly size: number; readonly free: number }) {
    this.free = disk.free
    this.#toGrow = Math.min(ROOM_TO_GROW, disk.size / 4)
  }

  /** Of the file system that holds `directory`. Endless where it does not tell. */
  static of(directory: string): DiskRoom {
    try {
      const { bsize, blocks, bfree, bavail } = statfsSync(directory)
      return new DiskRoom({ size: bsize * blocks, free: bsize * (process.geteuid?.() === 0 ? bfree : bavail) })
    } catch {
      return new DiskRoom({ size: Number.POSITIVE_INFINITY, free: Number.POSITIVE_INFINITY })
    }
  }

  get isRoomy(): boolean {
    return this.free >= ROOMY
  }

  /**
   * How many claims to record at once, so that they fit into the room that is never taken: 48, on a tiny disk fewer.
   */
  get piece(): number {
    return Math.max(1, Math.floor(this.#toWrite / BYTES_PER_CLAIM))
  }

  /** @param sparePages free pages in the database. */
  forClaims(sparePages: number): Room {
    if (this.free < this.#toWrite) return 'none'
    return this.free >= this.#toGrow || sparePages >= this.piece * PAGES_PER_CLAIM ? 'all' : 'few'
  }

  /** For the operator. */
  describe(): string {
    return `the disk is full: ${toKib(this.free)} are left, and the replay store needs ${toKib(this.#toGrow)}`
  }

  /** With less than this nothing is recorded: a piece, or what forgets old entries, has room for its log. */
  get #toWrite(): number {
    return this.#toGrow / 2
  }
}

function toKib(bytes: number): string {
  return `${Math.floor(bytes / KIB)} KiB`
}
