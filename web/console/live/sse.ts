/** Server-sent events as text → messages. (`EventSource` cannot send the session’s token.) */

export interface SseMessage {
  /** Absent: the message has no number. */
  readonly id?: string
  readonly event: string
  readonly data: string
}

/** Characters of one message. 65 536 grants are some 15 million. */
const LONGEST = 32_000_000

export class SseReader {
  #rest = ''

  /**
   * @param text as it comes, cut anywhere.
   * @returns the messages that are complete now.
   * @throws RangeError for one that is too long.
   */
  push(text: string): readonly SseMessage[] {
    this.#rest += text
    const messages: SseMessage[] = []
    for (;;) {
      const end = /\r?\n\r?\n/.exec(this.#rest)
      if (end === null) break
      const message = parse(this.#rest.slice(0, end.index))
      this.#rest = this.#rest.slice(end.index + end[0].length)
      if (message !== undefined) messages.push(message)
    }
    if (this.#rest.length > LONGEST) throw new RangeError('a message of the stream is too long')
    return messages
  }
}

/** @returns undefined for a comment. */
function parse(block: string): SseMessage | undefined {
  let id: string | undefined
  let event = 'message'
  const data: string[] = []
  for (const line of block.split(/\r?\n/)) {
    const [, name = '', value = ''] = /^([a-z]+): ?(.*)$/s.exec(line) ?? []
    if (name === 'id') id = value
    else if (name === 'event') event = value
    else if (name === 'data') data.push(value)
  }
  return data.length === 0 ? undefined : { ...(id !== undefined && { id }), event, data: data.join('\n') }
}
