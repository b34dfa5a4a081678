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
      const larger = Buffer.allocUnsafe(Math.max(LEAST, 2 * length))
      this.#bytes.copy(larger, 0, 0, this.#length)
      this.#bytes = larger
    }
    this.#bytes.set(part, this.#length)
    this.#length = length
  }

  /** @returns all of it as text, and is empty then. */
  takeText(): string {
    const text = this.#bytes.toString('utf8', 0, this.#length)
    this.#bytes = Buffer.alloc(0)
    this.#length = 0
    return text
  }
}
