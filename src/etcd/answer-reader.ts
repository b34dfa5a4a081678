/**
 * Reads an answer of HTTP/1.1 (RFC 9112), as etcd gives it: with its length, or in chunks. Bytes come in any pieces.
 * What is not clearly one answer is refused.
 */
export interface HttpAnswer {
  readonly status: number
  readonly body: Buffer
  /** Whether another request may follow on this connection. */
  readonly staysOpen: boolean
}

/** The answer, or why there is none. `undefined`: more must come. */
export type ReadHttp = HttpAnswer | { readonly why: string } | undefined

const LONGEST_HEAD = 64 * 1024
const END_OF_LINE = '\r\n'
const END_OF_HEAD = '\r\n\r\n'
const LONGEST_SIZE_LINE = 100

interface Head {
  readonly status: number
  readonly staysOpen: boolean
  /** Bytes of the body; undefined: it comes in chunks. */
  readonly length: number | undefined
}

export class AnswerReader {
  readonly #longestBody: number
  #head: Head | undefined
  /** Not looked at yet. */
  #rest: Buffer = Buffer.alloc(0)
  readonly #chunks: Buffer[] = []
  #length = 0
  #isLastChunkRead = false

  /** @param longestBody in bytes. */
  constructor(longestBody: number) {
    this.#longestBody = longestBody
  }

  /** Call it no more after it has given something. */
  push(part: Buffer): ReadHttp {
    this.#rest = this.#rest.length === 0 ? part : Buffer.concat([this.#rest, part])
    if (this.#head === undefined) {
      const end = this.#rest.indexOf(END_OF_HEAD)
      if (end < 0) return this.#rest.length > LONGEST_HEAD ? { why: 'an answer with a long head' } : undefined
      const head = readHead(this.#rest.toString('latin1', 0, end))
      if (head === undefined) return { why: 'an answer that is not etcd’s' }
      this.#head = head
      this.#rest = this.#rest.subarray(end + END_OF_HEAD.length)
    }
    const { length } = this.#head
    if (length === undefined) return this.#readChunks(this.#head)
    if (length > this.#longestBody) return this.#tooLong()
    return this.#rest.length < length ? undefined : this.#answer(this.#head, this.#rest.subarray(0, length), length)
  }

  #readChunks(head: Head): ReadHttp {
    for (;;) {
      const end = this.#rest.indexOf(END_OF_LINE)
      if (end < 0) return this.#rest.length > LONGEST_SIZE_LINE ? { why: 'a chunk without a size' } : undefined
      const line = this.#rest.toString('latin1', 0, end)
      const next = end + END_OF_LINE.length
      if (this.#isLastChunkRead) {
        // After the last chunk come fields of a trailer, and an empty line.
        this.#length += next
        if (this.#length > this.#longestBody) return this.#tooLong()
        if (line === '') return this.#answer(head, Buffer.concat(this.#chunks), next)
        this.#rest = this.#rest.subarray(next)
        continue
      }
      if (!/^[0-9a-f]{1,8}$/i.test(line)) return { why: 'a chunk without a size' }
      const size = Number.parseInt(line, 16)
      if (size + this.#length > this.#longestBody) return this.#tooLong()
      if (size === 0) {
        this.#isLastChunkRead = true
        this.#rest = this.#rest.subarray(next)
        continue
      }
      if (this.#rest.length < next + size + END_OF_LINE.length) return undefined
      if (this.#rest.toString('latin1', next + size, next + size + END_OF_LINE.length) !== END_OF_LINE)
        return { why: 'a chunk without an end' }
      this.#chunks.push(this.#rest.subarray(next, next + size))
      this.#length += size
      this.#rest = this.#rest.subarray(next + size + END_OF_LINE.length)
    }
  }

  /** @param used bytes of the rest that belong to the answer: nobody asked for more. */
  #answer({ status, staysOpen }: Head, body: Buffer, used: number): HttpAnswer {
    return { status, body, staysOpen: staysOpen && this.#rest.length === used }
  }

  #tooLong(): ReadHttp {
    return { why: `an answer of more than ${this.#longestBody} bytes` }
  }
}

/** @returns undefined where the end of the body is not clear. */
function readHead(text: string): Head | undefined {
  const [first = '', ...lines] = text.split(END_OF_LINE)
  const status = /^HTTP\/1\.1 ([2-5][0-9]{2})(?: |$)/.exec(first)?.[1]
  const fields = { 'content-length': '', 'transfer-encoding': '', connection: '' }
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon < 1) return undefined
    const name = line.slice(0, colon).toLowerCase()
    if (!(name in fields)) continue
    const key = name as keyof typeof fields
    if (fields[key] !== '') return undefined
    fields[key] = line
      .slice(colon + 1)
      .trim()
      .toLowerCase()
  }
  const { 'content-length': length, 'transfer-encoding': coding, connection } = fields
  const hasLength = /^[0-9]{1,10}$/.test(length) && coding === ''
  const isChunked = coding === 'chunked' && length === ''
  if (status === undefined || !(hasLength || isChunked)) return undefined
  return { status: Number(status), staysOpen: connection !== 'close', length: hasLength ? Number(length) : undefined }
}
