/** Reads what may be longer than anything that it should be: a device, a pipe, a file that somebody fills. */
import { readSync } from 'node:fs'

const CHUNK = 64 * 1024

/**
 * Reads to the end.
 * @param most bytes.
 * @returns undefined if there are more.
 * @throws the system's error.
 */
export function readBounded(descriptor: number, most: number): Buffer | undefined {
  const chunks: Buffer[] = []
  for (let length = 0; length <= most; ) {
    const chunk = Buffer.alloc(Math.min(CHUNK, most + 1 - length))
    const got = readSync(descriptor, chunk)
    if (got === 0) return Buffer.concat(chunks)
    chunks.push(chunk.subarray(0, got))
    length += got
  }
  return undefined
}
