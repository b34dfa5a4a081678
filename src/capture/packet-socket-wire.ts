/** What the capturing thread and the main thread of the receiver share: how batches travel and how they are held back. */

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

/** Lays frames one behind the other, each after its length (16 bits). The buffer is of exact size, to be transferred. */
export function packFrames(frames: readonly Uint8Array[]): ArrayBuffer {
  let size = 0
  for (const frame of frames) size += 2 + frame.length
  const packed = new Uint8Array(size)
  let at = 0
  for (const frame of frames) {
    packed[at] = frame.length >> 8
    packed[at + 1] = frame.length & 0xff
    packed.set(frame, at + 2)
    at += 2 + frame.length
  }
  return packed.buffer
}

/** The frames, as views into `packed`. */
export function unpackFrames(packed: ArrayBuffer): Uint8Array[] {
  const bytes = new Uint8Array(packed)
  const frames: Uint8Array[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
    frames.push(bytes.subarray(at + 2, at + 2 + length))
    at += 2 + length
  }
  return frames
}
