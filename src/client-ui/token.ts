/** The secrets between the program and its page: one that is good for one use, and the token of the page. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** 256 bits, as base64url. */
export type Token = string

export function makeToken(): Token {
  return randomBytes(32).toString('base64url')
}

/** In the same time, however much of it is right. */
export function isToken(given: string | undefined, token: Token): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return given !== undefined && timingSafeEqual(digest(given), digest(token))
}

/** A secret that is good for one use. */
export class LaunchSecret {
  readonly secret: Token = makeToken()
  #isUsed = false

  get isUsed(): boolean {
    return this.#isUsed
  }

  /** @returns whether it is the secret, for the first time. */
  use(given: string): boolean {
    if (this.#isUsed || !isToken(given, this.secret)) return false
    this.#isUsed = true
    return true
  }
}
