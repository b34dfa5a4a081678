/** Blocks of bytes to lines, of which none is longer than there is room for. */

/** Apache’s longest request line, agent and referrer together are well below. */
export const LONGEST_LINE = 64 * 1024

export interface LineSink {
  line(text: string): void
  /** A line that is longer than {@link LONGEST_LINE}. Its text is gone. */
  tooLong(): void
}

export class LineSplitter {
  readonly #sink: LineSink
  #rest = ''
  #skips = false

  constructor(sink: LineSink) {
    this.#sink = sink
  }

  push(block: Buffer): void {
    const text = block.toString('latin1')
    let at = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', at)) {
      this.#complete(text.slice(at, end))
      at = end + 1
    }
    if (this.#skips) return
    const left = text.slice(at)
    this.#rest = this.#rest === '' ? left : this.#rest + left
    if (this.#rest.length <= LONGEST_LINE) return
    this.#rest = ''
    this.#skips = true
  }

  /** The last line may have no end. */
  end(): void {
    if (this.#skips || this.#rest !== '') this.#complete('')
  }

  #complete(text: string): void {
    const line = this.#rest === '' ? text : this.#rest + text
    this.#rest = ''
    if (this.#skips || line.length > LONGEST_LINE) {
      this.#skips = false
      this.#sink.tooLong()
    } else this.#sink.line(line.charCodeAt(line.length - 1) === CARRIAGE_RETURN ? line.slice(0, -1) : line)
  }
}

const CARRIAGE_RETURN = 0x0d
