/**
 * The SPA packet as it arrives, unopened (docs/WIRE.md § 1, § 9): base64 text of ciphertext and HMAC, with its
 * constant head left off, by itself or inside an HTTP request. Rejects what no key could open, before any
 * key is tried. It reads each byte once: this is what a flood of junk costs.
 */
import { decodeBase64, isBase64Alphabet } from '../bytes/base64.ts'
import { ok, type Result, refuse } from '../result.ts'
import type { IpAddress } from './address.ts'
import { beginsWithMethod, parseHttpRequest, type SpaRequest } from './http.ts'
import { type PacketFailure, refuseByRule } from './strictness.ts'
import {
  GNUPG_PREFIX,
  MAX_WIRE_LENGTH,
  MIN_GPG_LENGTH,
  MIN_WIRE_LENGTH,
  SALTED_STARTS,
  WIRE_PREFIX,
} from './wire-limits.ts'

const PREFIX_CODES = Uint8Array.from(WIRE_PREFIX, (character) => character.charCodeAt(0))
const GNUPG_PREFIX_CODES = Uint8Array.from(GNUPG_PREFIX, (character) => character.charCodeAt(0))

const EQUALS_SIGN = 0x3d

/** What the options of a server say about packets in HTTP requests: ENABLE_SPA_OVER_HTTP, ALLOW_ANY_USER_AGENT. */
export type HttpAcceptance = 'off' | { readonly anyUserAgent: boolean }

/** Where an HMAC of a given length would stand. */
export interface EnvelopeCut {
  /** ASCII of the base64 ciphertext with its prefix: what the HMAC covers. */
  readonly encoded: Uint8Array
  /** The bytes of the HMAC; absent where the text there is not base64 of any bytes. */
  readonly tag: Uint8Array | undefined
}

/** An unopened packet. Only {@link parseEnvelope} makes one. Cheap to try under many keys. */
export class Envelope {
  /** ASCII of the prefix and of the text that came, without any `=` at its end. */
  readonly ascii: Uint8Array
  /** Characters of the prefix: that of a symmetric packet, or of a GnuPG message ({@link inGnupgForm}). */
  readonly prefixLength: number
  /** How many `=` came at the end: none, but from a 1.9.12 client that was told to leave them on. */
  readonly padding: number
  /**
   * The address in X-Forwarded-For, of a packet in an HTTP request that came through a proxy. Nothing vouches for it.
   */
  readonly forwardedFor?: IpAddress
  /** Whether it came in an HTTP request. */
  readonly inRequest: boolean
  /** By the length of the HMAC in characters. */
  #cuts: (EnvelopeCut | undefined)[] | undefined
  #ciphertexts: (Uint8Array | 'not base64' | undefined)[] | undefined
  #gnupgForm: Envelope | undefined

  /** @internal */
  constructor(
    ascii: Uint8Array,
    padding: number,
    request: Pick<SpaRequest, 'forwardedFor'> | undefined,
    prefixLength = PREFIX_CODES.length,
  ) {
    this.ascii = ascii
    this.padding = padding
    this.prefixLength = prefixLength
    this.inRequest = request !== undefined
    if (request?.forwardedFor !== undefined) this.forwardedFor = request.forwardedFor
  }

  /**
   * The same packet with the prefix of a GnuPG message, made once. The text does not tell which of the two it is.
   * @returns undefined if it is too short for one, or begins as none can.
   */
  inGnupgForm(): Envelope | undefined {
    if (this.wireLength < MIN_GPG_LENGTH || !mayBeGnupg(this.ascii[this.prefixLength] ?? 0)) return undefined
    if (this.#gnupgForm === undefined) {
      const text = this.ascii.subarray(this.prefixLength)
      const ascii = new Uint8Array(GNUPG_PREFIX_CODES.length + text.length)
      ascii.set(GNUPG_PREFIX_CODES)
      ascii.set(text, GNUPG_PREFIX_CODES.length)
      this.#gnupgForm = new Envelope(ascii, this.padding, this.inRequest ? this : undefined, GNUPG_PREFIX_CODES.length)
    }
    return this.#gnupgForm
  }

  /** Characters on the wire, as fwknopd counts them. */
  get wireLength(): number {
    return this.ascii.length - this.prefixLength + this.padding
  }

  /** The packet as if it ended in an HMAC of `tagLength` characters, made once. */
  cut(tagLength: number): EnvelopeCut {
    this.#cuts ??= []
    const made = this.#cuts[tagLength]
    if (made !== undefined) return made
    const end = Math.max(0, this.ascii.length - tagLength)
    const cut = { encoded: this.ascii.subarray(0, end), tag: decodeBase64(this.ascii.subarray(end)) }
    this.#cuts[tagLength] = cut
    return cut
  }

  /**
   * What the text before an HMAC of `tagLength` characters decodes to, decoded once; undefined for a wrong spelling.
   */
  ciphertext(tagLength: number): Uint8Array | undefined {
    this.#ciphertexts ??= []
    this.#ciphertexts[tagLength] ??= decodeBase64(this.cut(tagLength).encoded) ?? 'not base64'
    const ciphertext = this.#ciphertexts[tagLength]
    return ciphertext === 'not base64' ? undefined : ciphertext
  }
}

/**
 * Reads one datagram's payload.
 * @param payload 140 to 1500 bytes; not changed and not kept.
 * @param options whether it may be an HTTP request.
 * @returns the envelope; `SPA_LENGTH` for a length that no packet has; `SPA_MALFORMED` for what is no packet for any
 * other reason: a foreign character, a prefix put back, an HTTP request that carries none.
 * @example
 * ```ts
 * import { parseEnvelope } from 'ghostport/packet'
 *
 * const datagram = new TextEncoder().encode('hello')
 * const envelope = parseEnvelope(datagram, { http: 'off' })
 * console.log(envelope.ok ? 'may be a packet' : envelope.failure.code) // SPA_LENGTH
 * ```
 */
export function parseEnvelope(
  payload: Uint8Array,
  options: { readonly http: HttpAcceptance },
): Result<Envelope, PacketFailure<'SPA_LENGTH' | 'SPA_MALFORMED'>> {
  if (payload.length < MIN_WIRE_LENGTH || payload.length > MAX_WIRE_LENGTH) return refuseLength(payload.length)
  if (options.http === 'off' && beginsWithMethod(payload))
    return refuse('SPA_MALFORMED', 'it is an HTTP request, and ENABLE_SPA_OVER_HTTP is N')
  const request = options.http === 'off' ? undefined : parseHttpRequest(payload, options.http)
  if (request === undefined) return parseText(payload, undefined)
  // Looked for after transport decoding; fwknopd looks before it, and can be sent one packet twice (docs/WIRE.md § 10).
  return request.ok ? parseText(request.value.packet, request.value) : request
}

function parseText(
  text: Uint8Array,
  request: SpaRequest | undefined,
): Result<Envelope, PacketFailure<'SPA_LENGTH' | 'SPA_MALFORMED'>> {
  if (text.length < MIN_WIRE_LENGTH) return refuseLength(text.length)
  const padding = text[text.length - 1] !== EQUALS_SIGN ? 0 : text[text.length - 2] !== EQUALS_SIGN ? 1 : 2
  const length = text.length - padding
  const ascii = room(PREFIX_CODES.length + length)
  ascii.set(PREFIX_CODES)
  ascii.set(padding === 0 ? text : text.subarray(0, length), PREFIX_CODES.length)
  if (!isBase64Alphabet(ascii)) return refuse('SPA_MALFORMED', 'a character that is not base64')
  if (hasPrefix(text)) return refuseByRule('SPA_MALFORMED', 'prefix-left-off', `the prefix ${WIRE_PREFIX} was put back`)
  if (!mayBeSalted(ascii)) return refuseByRule('SPA_MALFORMED', 'salted-head', 'not the start of a ciphertext')
  if (padding !== 0 && padding !== (4 - (ascii.length % 4)) % 4)
    return refuseByRule(
      'SPA_MALFORMED',
      'outer-padding',
      `${padding} “=” at the end where there should be none or others`,
    )
  return ok(new Envelope(ascii, padding, request))
}

/** Envelopes share pieces of memory of this size: a piece for each would cost more than its HMAC. */
const SLAB = 64 * 1024
let slab = new Uint8Array(SLAB)
let taken = 0

/** @returns memory that belongs to the caller alone. */
function room(length: number): Uint8Array {
  if (taken + length > SLAB) {
    slab = new Uint8Array(SLAB)
    taken = 0
  }
  taken += length
  return slab.subarray(taken - length, taken)
}

/**
 * The first character that is sent still begins with four constant bits, the last of `Salted__`: one of `8 9 + /`. A
 * text as long as GnuPG's ({@link MIN_GPG_LENGTH}) may begin otherwise.
 */
function mayBeSalted(ascii: Uint8Array): boolean {
  return SALTED_STARTS.includes(ascii[PREFIX_CODES.length] ?? 0) || ascii.length - PREFIX_CODES.length >= MIN_GPG_LENGTH
}

/**
 * `A` to `T`: it holds the upper half of the length of the first part of the message, and no part of a packet is longer
 * than 1125 bytes. A packet with `hQ` put back begins with `h`.
 */
function mayBeGnupg(first: number): boolean {
  return first >= 0x41 && first <= 0x54
}

function hasPrefix(text: Uint8Array): boolean {
  return PREFIX_CODES.every((code, i) => text[i] === code)
}

function refuseLength(length: number) {
  return refuse('SPA_LENGTH', `${length} characters; an SPA packet has ${MIN_WIRE_LENGTH} to ${MAX_WIRE_LENGTH}`)
}
