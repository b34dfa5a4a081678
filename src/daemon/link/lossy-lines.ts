/**
 * Reads lines of JSON from a pair of sockets that outlives the processes at its ends. One that ends may leave half a
 * line behind. So what is no line is passed over, and the reader goes on with the next.
 */
const NEWLINE = 0x0a
/** Bytes. A longer line is passed over. */
const LONGEST = 64 * 1024

/** A value as such a line. */
export function lineOf(value: unknown): string {
  return `${JSON.stringify(value)}\n`
}

export class LossyLines {
  #held: Buffer = Buffer.alloc(0)

  /** @returns the values of the lines that are whole now. */
  push(chunk: Uint8Array): readonly unknown[] {
    const bytes = Buffer.concat([this.#held, chunk])
    const end = bytes.lastIndexOf(NEWLINE)
    const rest = bytes.subarray(end + 1)
    this.#held = rest.length > LONGEST ? Buffer.alloc(0) : Buffer.from(rest)
    if (end < 0) return []
    return bytes
      .subarray(0, end)
      .toString('utf8')
      .split('\n')
      .flatMap((line) => {
        try {
          return line === '' ? [] : [JSON.parse(line) as unknown]
        } catch {
          return []
        }
      })
  }
}
