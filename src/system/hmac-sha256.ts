/**
 * HMAC-SHA256 with the OpenSSL that is a part of Node.js, called without Node's own layer: a key costs a quarter of the
 * time. Node.js exports these functions for add-ons, in every build (its documentation, “Linking to libraries included
 * with Node.js”). Where it does not, or where they give another result than expected, there is no such HMAC.
 *
 * The functions are `SHA256_Update` and `SHA256_Transform` of <openssl/sha.h>. What they read and write is in one piece
 * of memory, at fixed places; the length of a text is checked before it is copied there.
 */
import { createRequire } from 'node:module'
import { endianness } from 'node:os'
import { decodeBase64 } from '../bytes/base64.ts'

/** Whether the text from `end` to its end is the base64 of the HMAC of what is before it. `ascii` must not change. */
export type EndsInHmac = (ascii: Uint8Array, end: number) => boolean

/** `update` takes whole blocks of 64 bytes; `transform` takes one. Both change the eight words of the state. */
interface Sha256 {
  update(context: number, data: number, length: number): number
  transform(context: number, block: number): void
  address(bytes: Uint8Array): bigint
}

const BLOCK = 64
/** 64-bit length in bits, and the bit before it. */
const LEAST_PADDING = 9
const STATE_WORDS = 8
/** FIPS 180-4 § 5.3.3. */
const INITIAL = [
  ...[0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a],
  ...[0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19],
] as const

/** Of the piece of memory. `SHA256_CTX`: state, length, what is left of a block, how much; 112 bytes. */
const CONTEXT = 0
const OUTER_BLOCK = 128
const TEXT = OUTER_BLOCK + BLOCK
/** Longer than any packet. */
const LONGEST_TEXT = 4096
const LONGEST_KEY = 4000

/**
 * @returns undefined where OpenSSL's functions are not there. Otherwise, what prepares a key, which it copies; a key of
 * more than 4000 bytes it does not take.
 */
export function nativeHmacSha256(): ((key: Uint8Array) => EndsInHmac | undefined) | undefined {
  const found = findSha256()
  if (found === undefined) return undefined
  const hmac = new HmacSha256(found)
  return isRight(hmac) ? (key) => hmac.prepare(key) : undefined
}

class HmacSha256 {
  readonly #sha256: Sha256
  readonly #bytes = new Uint8Array(new ArrayBuffer(TEXT + LONGEST_TEXT))
  readonly #words = new Int32Array(this.#bytes.buffer)
  readonly #view = new DataView(this.#bytes.buffer)
  readonly #at: number
  /** What is in the memory now, so that the next keys find it there. */
  #ascii: Uint8Array | undefined
  #end = -1
  /** Its length with padding; 0 where no key can have made it. */
  #padded = 0
  readonly #tag = new Int32Array(STATE_WORDS)

  constructor(sha256: Sha256) {
    this.#sha256 = sha256
    this.#at = Number(sha256.address(this.#bytes))
    // The second hash is over a block of the key and a digest.
    this.#bytes[OUTER_BLOCK + 32] = 0x80
    this.#view.setUint32(OUTER_BLOCK + BLOCK - 4, (BLOCK + 32) * 8)
  }

  /** RFC 2104: the state after the block of the key is kept, for both hashes. */
  prepare(key: Uint8Array): EndsInHmac | undefined {
    if (key.length > LONGEST_KEY) return undefined
    const filled = key.length > BLOCK ? this.#digest(key) : key
    const states = new Int32Array(2 * STATE_WORDS)
    for (const [i, pad] of [0x36, 0x5c].entries()) {
      this.#begin()
      this.#bytes.fill(pad, TEXT, TEXT + BLOCK)
      for (const [j, byte] of filled.entries()) this.#bytes[TEXT + j] = byte ^ pad
      this.#sha256.transform(this.#at + CONTEXT, this.#at + TEXT)
      states.set(this.#words.subarray(0, STATE_WORDS), i * STATE_WORDS)
    }
    this.#bytes.fill(0, TEXT, TEXT + BLOCK)
    return (ascii, end) => this.#endsInHmac(states, ascii, end)
  }

  #endsInHmac(states: Int32Array, ascii: Uint8Array, end: number): boolean {
    if (ascii !== this.#ascii || end !== this.#end) this.#take(ascii, end)
    if (this.#padded === 0) return false
    const words = this.#words
    const tag = this.#tag
    const at = this.#at
    for (let i = 0; i < STATE_WORDS; i++) words[i] = states[i] as number
    this.#sha256.update(at + CONTEXT, at + TEXT, this.#padded)
    for (let i = 0; i < STATE_WORDS; i++) words[OUTER_BLOCK / 4 + i] = swapped(words[i] as number)
    for (let i = 0; i < STATE_WORDS; i++) words[i] = states[STATE_WORDS + i] as number
    this.#sha256.transform(at + CONTEXT, at + OUTER_BLOCK)
    // In a time that does not depend on where they differ.
    let different = 0
    for (let i = 0; i < STATE_WORDS; i++) different |= (words[i] as number) ^ (tag[i] as number)
    return different === 0
  }

  /** Puts the text before the HMAC into the memory, and reads the HMAC: in the one spelling that base64 has for it. */
  #take(ascii: Uint8Array, end: number): void {
    this.#ascii = ascii
    this.#end = end
    this.#padded = 0
    const tag = end < 0 || end > LONGEST_TEXT - BLOCK ? undefined : decodeBase64(ascii.subarray(end))
    if (tag?.length !== 4 * STATE_WORDS) return
    for (let i = 0; i < STATE_WORDS; i++)
      this.#tag[i] =
        ((tag[4 * i] as number) << 24) |
        ((tag[4 * i + 1] as number) << 16) |
        ((tag[4 * i + 2] as number) << 8) |
        (tag[4 * i + 3] as number)
    this.#padded = this.#pad(ascii.subarray(0, end), BLOCK)
  }

  /** FIPS 180-4 § 5.1.1. @param before bytes that were hashed before. @returns the length with padding. */
  #pad(text: Uint8Array, before: number): number {
    const padded = Math.ceil((text.length + LEAST_PADDING) / BLOCK) * BLOCK
    this.#bytes.set(text, TEXT)
    this.#bytes.fill(0, TEXT + text.length, TEXT + padded)
    this.#bytes[TEXT + text.length] = 0x80
    this.#view.setUint32(TEXT + padded - 4, (before + text.length) * 8)
    return padded
  }

  /** Of a key that is longer than a block. */
  #digest(key: Uint8Array): Uint8Array {
    this.#begin()
    this.#sha256.update(this.#at + CONTEXT, this.#at + TEXT, this.#pad(key, 0))
    this.#bytes.fill(0, TEXT, TEXT + key.length)
    const digest = new Uint8Array(4 * STATE_WORDS)
    const view = new DataView(digest.buffer)
    for (let i = 0; i < STATE_WORDS; i++) view.setInt32(4 * i, this.#words[i] as number)
    return digest
  }

  #begin(): void {
    this.#ascii = undefined
    this.#words.fill(0, 0, OUTER_BLOCK / 4)
    this.#words.set(INITIAL)
  }
}

/** The bytes of a word in the other order. */
function swapped(word: number): number {
  return (word >>> 24) | ((word >>> 8) & 0xff00) | ((word << 8) & 0xff0000) | (word << 24)
}

/** RFC 4231, test case 2; without its last bit, and with another text, it must not be taken. */
function isRight(hmac: HmacSha256): boolean {
  const check = hmac.prepare(codes('Jefe'))
  const text = 'what do ya want for nothing?'
  const tag = 'W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM'
  const said = [text + tag, `${text.replace('?', '!')}${tag}`, `${text}${tag.replace('W', 'X')}`]
  return said.map((one) => check?.(codes(one), text.length)).join() === 'true,false,false'
}

function codes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

function findSha256(): Sha256 | undefined {
  if (endianness() !== 'LE') return undefined
  try {
    const koffi: typeof import('koffi') = createRequire(import.meta.url)('koffi')
    const program = koffi.load(null)
    return {
      // Addresses as numbers: a user process has none above 2^53, and koffi takes them in half the time.
      update: program.func('int SHA256_Update(uintptr_t, uintptr_t, size_t)'),
      transform: program.func('void SHA256_Transform(uintptr_t, uintptr_t)'),
      address: (bytes) => koffi.address(bytes),
    }
  } catch {
    // Without koffi, or in a Node.js whose OpenSSL has no such functions.
    return undefined
  }
}
