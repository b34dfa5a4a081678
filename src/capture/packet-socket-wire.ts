/** What the capturing thread and the main thread of the receiver share: how batches travel and how they are held back. */
import type { Arrival } from './frame.ts'

export interface WorkerSetup {
  readonly sockets: readonly number[]
  /** An eventfd of the main thread's: readable when the worker shall end. */
  readonly stopFd: number
  /** Interface names; none means all. */
  readonly interfaces: readonly string[]
  /** Room for one frame, in bytes. Longer ones are left out. */
  readonly longestFrame: number
  /** One number: {@link BATCHES_UNDER_WAY}. */
  readonly shared: SharedArrayBuffer
}

export type WorkerReport =
  /** Its code is loaded; it waits for a {@link WorkerSetup}. */
  | { readonly kind: 'started' }
  | { readonly kind: 'ready' }
  /** `dropped`: packets that the kernel had no room for since the last batch. */
  | { readonly kind: 'batch'; readonly frames: ArrayBuffer; readonly dropped: number }

/** Index into the shared Int32Array: batches sent by the worker and not yet handed on by the main thread. */
export const BATCHES_UNDER_WAY = 0
/**
 * So many, and the worker waits: under a flood the packets wait, and in the end are dropped and counted, in the kernel's
 * bounded buffer, not in a heap that grows. Small enough for the main thread to get to its other work in between.
 */
export const MOST_BATCHES_UNDER_WAY = 8
/** Packets in one batch at most. */
export const BATCH_SIZE = 64

/** A frame, and what the kernel says of it. */
export interface ArrivedFrame extends Arrival {
  readonly bytes: Uint8Array
}

/** Before each frame: its length (16 bits), the interface (32 bits), whether its checksum is unchecked (8 bits). */
const LABEL = 7

/** Lays frames one behind the other, each after its label. The buffer is of exact size, to be transferred. */
export function packFrames(frames: readonly ArrivedFrame[]): ArrayBuffer {
  let size = 0
  for (const { bytes } of frames) size += LABEL + bytes.length
  const packed = new Uint8Array(size)
  const view = new DataView(packed.buffer)
  let at = 0
  for (const { bytes, interfaceIndex, isChecksumUnchecked } of frames) {
    view.setUint16(at, bytes.length)
    view.setInt32(at + 2, interfaceIndex)
    view.setUint8(at + 6, isChecksumUnchecked ? 1 : 0)
    packed.set(bytes, at + LABEL)
    at += LABEL + bytes.length
  }
  return packed.buffer
}

/** The frames, as views into `packed`. */
export function unpackFrames(packed: ArrayBuffer): ArrivedFrame[] {
  const all = new Uint8Array(packed)
  const view = new DataView(packed)
  const frames: ArrivedFrame[] = []
  for (let at = 0; at < all.length; ) {
    const end = at + LABEL + view.getUint16(at)
    frames.push({
      bytes: all.subarray(at + LABEL, end),
      interfaceIndex: view.getInt32(at + 2),
      isChecksumUnchecked: view.getUint8(at + 6) === 1,
    })
    at = end
  }
  return frames
}
