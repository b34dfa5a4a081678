/** Bytes that come in parts of any size, also one by one: they are copied, so that no part keeps its own memory. */
const LEAST = 4096

export class GrowingBytes {
  #bytes = Buffer.alloc(0)
  #length = 0

  get length(): number {
    return this.#length
  }

  push(part: Uint8Array): void {
    const length = this.#length + part.length
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(LEAST, 2 * length))
      this.#bytes.copy(larger, 0, 0, this.#length)
      this.#bytes = larger
    }
    this.#bytes.set(part, this.#length)
    this.#length = length
  }

  /** All of it. Nobody may write to it. Bytes that come later do not change it. */
  view(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Forgets so many bytes from the front. */
  drop(count: number): void {
    const rest = this.#bytes.subarray(count, this.#length)
    // What was given out stays as it is.
    this.#bytes = rest.length === 0 ? Buffer.alloc(0) : Buffer.from(rest)
    this.#length = rest.length
  }

  /** @returns all of it as text, and is empty then. */
  takeText(): string {
    const text = this.view().toString('utf8')
    this.drop(this.#length)
    return text
  }
}
