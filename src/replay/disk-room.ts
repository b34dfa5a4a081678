/**
 * How much room a file system has left, and what the replay store makes of it. The store never takes the last of a disk: what
 * frees entries writes to a log first, so a store that filled its disk to the last byte could not even forget.
 */
import { statfsSync } from 'node:fs'

const KIB = 1024
const MIB = 1024 * KIB

/** With less than this, in bytes, the store writes in small pieces and keeps its log short. */
export const ROOMY = 16 * MIB
/** With less than this the database does not grow any more, except for keys that have few entries. */
const ROOM_TO_GROW = 1536 * KIB
/** With less than this nothing is recorded. It is more than one piece can take: its log, and what it adds to the database. */
const ROOM_TO_WRITE = 768 * KIB
/** Pages in the database that are free again, so that it can take a piece without growing. */
const PAGES_TO_SPARE = 64

/** `few`: only for keys with few entries. Nobody can take this room from them, however many packets he sends. */
export type Room = 'all' | 'few' | 'none'

/** What a key may have of the room that is for keys with few entries. */
export const FEW = 64

/** @returns bytes; infinity where the file system does not tell. */
export function bytesFree(directory: string): number {
  try {
    const { bsize, bfree, bavail } = statfsSync(directory)
    return bsize * (process.geteuid?.() === 0 ? bfree : bavail)
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

/** @param sparePages free pages in the database. */
export function roomFor(free: number, sparePages: number): Room {
  if (free < ROOM_TO_WRITE) return 'none'
  return free >= ROOM_TO_GROW || sparePages >= PAGES_TO_SPARE ? 'all' : 'few'
}

/** For the operator. */
export function describeRoom(free: number): string {
  return `its disk has ${Math.floor(free / KIB)} KiB left; the replay store needs ${ROOM_TO_GROW / KIB} KiB`
}
