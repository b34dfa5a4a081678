/** Answers the receiver: each packet is decrypted by a gpg of its own, a few at a time. */
import type { DecrypterName } from '../../access/keyring.ts'
import { decodeBase64, encodeBase64 } from '../../bytes/base64.ts'
import { type Failure, refuse } from '../../result.ts'
import { type GnupgAnswer, type GnupgRequest, parseGnupgRequest } from '../link/gnupg-protocol.ts'
import { LONGEST_DETAIL } from '../link/protocol.ts'
import { type Decrypter, type OpenMessageFailure, openMessage } from './open-message.ts'

/** Packets that are decrypted at a time. The receiver sends no more (receiver/gnupg-desk.ts). */
export const AT_A_TIME = 2
/** Requests that may wait: those of a receiver that was replaced. */
const MOST_WAITING = 64

export class GnupgService {
  readonly #decrypters: ReadonlyMap<DecrypterName, Decrypter>
  readonly #secret: Uint8Array
  readonly #send: (answer: GnupgAnswer) => void
  #running = 0
  #waiting: GnupgRequest[] = []

  constructor(decrypters: readonly Decrypter[], secret: Uint8Array, send: (answer: GnupgAnswer) => void) {
    this.#decrypters = new Map(decrypters.map((decrypter) => [decrypter.name, decrypter]))
    this.#secret = secret
    this.#send = send
  }

  /** @param value of the receiver, which may be in hostile hands: what is no request gets no answer. */
  take(value: unknown): void {
    const request = parseGnupgRequest(value)
    if (request === undefined || this.#waiting.length >= MOST_WAITING) return
    this.#waiting.push(request)
    this.#next()
  }

  #next(): void {
    while (this.#running < AT_A_TIME) {
      const request = this.#waiting.shift()
      if (request === undefined) return
      this.#running++
      this.#answer(request)
        .then((answer) => this.#send(answer))
        .finally(() => {
          this.#running--
          this.#next()
        })
    }
  }

  async #answer({ id, decrypter: name, message: encoded }: GnupgRequest): Promise<GnupgAnswer> {
    const decrypter = this.#decrypters.get(name)
    const message = decodeBase64(encoded)
    if (decrypter === undefined || message === undefined) return { id, failure: UNUSABLE }
    const opened = await openMessage(message, decrypter, this.#secret)
    if (!opened.ok) return { id, failure: short(opened.failure) }
    return { id, opened: { ...opened.value, plaintext: encodeBase64(opened.value.plaintext) } }
  }
}

const UNUSABLE = refuse('GNUPG_FAILED', 'the keyring of this stanza cannot be used: see the start of the log').failure

function short({ code, detail }: OpenMessageFailure): Failure<OpenMessageFailure['code']> {
  return { code, detail: detail.slice(0, LONGEST_DETAIL) }
}
