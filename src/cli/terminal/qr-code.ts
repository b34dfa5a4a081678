/**
 * A QR code of a text, as ISO/IEC 18004 has it: model 2, byte mode, error correction level L. Pure.
 *
 * It is our own code, and no package: each user needs it once, for one text. A package would be one more dependency of
 * a program that runs as root. A test has Debian’s zbar read each version.
 */

/** Rows of squares; `true` is dark. */
export type QrCode = readonly (readonly boolean[])[]

/** Level L, for versions 1 to 40: check bytes of a block, and the number of blocks. */
const CHECK_BYTES = [
  ...[7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28],
  ...[28, 28, 30, 30, 26, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30],
]
const BLOCKS = [
  ...[1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8],
  ...[8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 21, 22, 24, 25],
]
const VERSIONS = 40

/**
 * @param bytes at most 2953.
 * @returns undefined for more bytes than a QR code has room for.
 */
export function qrCode(bytes: Uint8Array): QrCode | undefined {
  for (let version = 1; version <= VERSIONS; version++) {
    const words = dataBytes(version)
    if (bytes.length * 8 + 4 + lengthBits(version) > words * 8) continue
    return draw(version, withChecks(encode(bytes, version, words), version))
  }
  return undefined
}

function lengthBits(version: number): number {
  return version < 10 ? 8 : 16
}

/** Room for data, without the check bytes. */
function dataBytes(version: number): number {
  return Math.floor(allSquares(version) / 8) - (CHECK_BYTES[version - 1] ?? 0) * (BLOCKS[version - 1] ?? 0)
}

/** Squares that hold data or checks: all but the patterns. */
function allSquares(version: number): number {
  const align = version < 2 ? 0 : Math.floor(version / 7) + 2
  const patterns = version < 2 ? 0 : 25 * align * align - 10 * align - 55 + (version < 7 ? 0 : 36)
  return (16 * version + 128) * version + 64 - patterns
}

/** Mode, length, the bytes, and padding. */
function encode(bytes: Uint8Array, version: number, room: number): Uint8Array {
  const bits: number[] = []
  const put = (value: number, count: number): void => {
    for (let i = count - 1; i >= 0; i--) bits.push((value >>> i) & 1)
  }
  put(0b0100, 4)
  put(bytes.length, lengthBits(version))
  for (const byte of bytes) put(byte, 8)
  put(0, Math.min(4, room * 8 - bits.length))
  while (bits.length % 8 !== 0) bits.push(0)
  const words = new Uint8Array(room)
  for (const [i, bit] of bits.entries()) words[i >> 3] = ((words[i >> 3] ?? 0) << 1) | bit
  for (let i = bits.length / 8, pad = 0xec; i < room; i++, pad ^= 0xec ^ 0x11) words[i] = pad
  return words
}

/** The blocks with their check bytes, interleaved. */
function withChecks(data: Uint8Array, version: number): Uint8Array {
  const [blocks, checks] = [BLOCKS[version - 1] ?? 1, CHECK_BYTES[version - 1] ?? 0]
  const short = Math.floor(data.length / blocks)
  const longBlocks = data.length % blocks
  const divisor = checkDivisor(checks)
  const parts: { readonly data: Uint8Array; readonly checks: Uint8Array }[] = []
  for (let i = 0, at = 0; i < blocks; i++) {
    const length = short + (i < blocks - longBlocks ? 0 : 1)
    const block = data.subarray(at, at + length)
    parts.push({ data: block, checks: remainder(block, divisor) })
    at += length
  }
  const all: number[] = []
  for (let i = 0; i <= short; i++) for (const part of parts) if (i < part.data.length) all.push(part.data[i] ?? 0)
  for (let i = 0; i < checks; i++) for (const part of parts) all.push(part.checks[i] ?? 0)
  return Uint8Array.from(all)
}

/** In the field of 256 elements with the polynomial 0x11d. */
function multiply(x: number, y: number): number {
  let product = 0
  for (let i = 7; i >= 0; i--) {
    product = (product << 1) ^ ((product >>> 7) * 0x11d)
    product ^= ((y >>> i) & 1) * x
  }
  return product
}

/** The coefficients of (x − 1)(x − 2)(x − 4)…, without the first, which is 1. */
function checkDivisor(degree: number): Uint8Array {
  const result = new Uint8Array(degree)
  result[degree - 1] = 1
  let root = 1
  for (let i = 0; i < degree; i++) {
    for (let j = 0; j < degree; j++) result[j] = multiply(result[j] ?? 0, root) ^ (result[j + 1] ?? 0)
    root = multiply(root, 2)
  }
  return result
}

function remainder(data: Uint8Array, divisor: Uint8Array): Uint8Array {
  const result = new Uint8Array(divisor.length)
  for (const byte of data) {
    const factor = byte ^ (result[0] ?? 0)
    result.copyWithin(0, 1)
    result[result.length - 1] = 0
    for (const [i, coefficient] of divisor.entries()) result[i] = (result[i] ?? 0) ^ multiply(coefficient, factor)
  }
  return result
}

/** Formulas of the masks, by their number. */
const MASKS: readonly ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
]

function draw(version: number, words: Uint8Array): QrCode {
  let best: { readonly code: boolean[][]; readonly penalty: number } | undefined
  for (const [mask, isFlipped] of MASKS.entries()) {
    const canvas = new Canvas(version)
    canvas.patterns(mask)
    canvas.data(words, isFlipped)
    const penalty = penaltyOf(canvas.dark)
    if (best === undefined || penalty < best.penalty) best = { code: canvas.dark, penalty }
  }
  return best?.code ?? []
}

class Canvas {
  readonly dark: boolean[][]
  readonly #fixed: boolean[][]
  readonly #version: number
  readonly #size: number

  constructor(version: number) {
    this.#version = version
    this.#size = version * 4 + 17
    const empty = (): boolean[][] => Array.from({ length: this.#size }, () => Array(this.#size).fill(false))
    this.dark = empty()
    this.#fixed = empty()
  }

  patterns(mask: number): void {
    const size = this.#size
    for (let i = 0; i < size; i++) {
      this.#set(6, i, i % 2 === 0)
      this.#set(i, 6, i % 2 === 0)
    }
    for (const [x, y] of [
      [3, 3],
      [size - 4, 3],
      [3, size - 4],
    ] as const)
      this.#finder(x, y)
    const places = alignmentPlaces(this.#version)
    const last = places.length - 1
    for (const [i, x] of places.entries())
      for (const [j, y] of places.entries())
        if (!((i === 0 && j === 0) || (i === 0 && j === last) || (i === last && j === 0))) this.#alignment(x, y)
    this.#format(mask)
    if (this.#version >= 7) this.#versionBits()
  }

  /** From the lower right corner, in columns of two, up and down by turns. */
  data(words: Uint8Array, isFlipped: (x: number, y: number) => boolean): void {
    const size = this.#size
    let i = 0
    for (let right = size - 1; right >= 1; right -= 2) {
      if (right === 6) right = 5
      for (let step = 0; step < size; step++)
        for (let j = 0; j < 2; j++) {
          const x = right - j
          const y = ((right + 1) & 2) === 0 ? size - 1 - step : step
          const row = this.dark[y]
          if (row === undefined || this.#fixed[y]?.[x] === true) continue
          const bit = i < words.length * 8 && ((words[i >>> 3] ?? 0) >>> (7 - (i & 7))) & 1
          i++
          row[x] = (bit === 1) !== isFlipped(x, y)
        }
    }
  }

  #set(x: number, y: number, dark: boolean): void {
    const [row, fixed] = [this.dark[y], this.#fixed[y]]
    if (row === undefined || fixed === undefined || x < 0 || x >= this.#size) return
    row[x] = dark
    fixed[x] = true
  }

  #finder(x: number, y: number): void {
    for (let dy = -4; dy <= 4; dy++)
      for (let dx = -4; dx <= 4; dx++) {
        const distance = Math.max(Math.abs(dx), Math.abs(dy))
        this.#set(x + dx, y + dy, distance !== 2 && distance !== 4)
      }
  }

  #alignment(x: number, y: number): void {
    for (let dy = -2; dy <= 2; dy++)
      for (let dx = -2; dx <= 2; dx++) this.#set(x + dx, y + dy, Math.max(Math.abs(dx), Math.abs(dy)) !== 1)
  }

  /** Level and mask, with ten check bits, twice. */
  #format(mask: number): void {
    const size = this.#size
    const data = (0b01 << 3) | mask
    let rest = data
    for (let i = 0; i < 10; i++) rest = (rest << 1) ^ ((rest >>> 9) * 0x537)
    const bits = ((data << 10) | rest) ^ 0x5412
    const bit = (i: number): boolean => ((bits >>> i) & 1) === 1
    for (let i = 0; i <= 5; i++) this.#set(8, i, bit(i))
    this.#set(8, 7, bit(6))
    this.#set(8, 8, bit(7))
    this.#set(7, 8, bit(8))
    for (let i = 9; i < 15; i++) this.#set(14 - i, 8, bit(i))
    for (let i = 0; i < 8; i++) this.#set(size - 1 - i, 8, bit(i))
    for (let i = 8; i < 15; i++) this.#set(8, size - 15 + i, bit(i))
    this.#set(8, size - 8, true)
  }

  #versionBits(): void {
    let rest = this.#version
    for (let i = 0; i < 12; i++) rest = (rest << 1) ^ ((rest >>> 11) * 0x1f25)
    const bits = (this.#version << 12) | rest
    for (let i = 0; i < 18; i++) {
      const [a, b] = [this.#size - 11 + (i % 3), Math.floor(i / 3)]
      this.#set(a, b, ((bits >>> i) & 1) === 1)
      this.#set(b, a, ((bits >>> i) & 1) === 1)
    }
  }
}

function alignmentPlaces(version: number): readonly number[] {
  if (version === 1) return []
  const count = Math.floor(version / 7) + 2
  const step = version === 32 ? 26 : Math.ceil((version * 4 + 4) / (count * 2 - 2)) * 2
  const places = [6]
  for (let i = count - 2; i >= 0; i--) places.push(version * 4 + 10 - i * step)
  return places
}

/** How hard it would be to read: runs, blocks, false corners, and an uneven share of dark squares. */
function penaltyOf(dark: readonly (readonly boolean[])[]): number {
  const size = dark.length
  const at = (x: number, y: number): boolean => dark[y]?.[x] === true
  let penalty = 0
  let count = 0
  for (let i = 0; i < size; i++)
    for (const isRow of [true, false]) {
      const line = Array.from({ length: size }, (_, j) => (isRow ? at(j, i) : at(i, j)))
      const text = line.map((one) => (one ? '1' : '0')).join('')
      for (const [run] of text.matchAll(/0{5,}|1{5,}/g)) penalty += run.length - 2
      penalty += 40 * (occurrences(text, '10111010000') + occurrences(text, '00001011101'))
      if (isRow) count += line.filter(Boolean).length
    }
  for (let y = 0; y < size - 1; y++)
    for (let x = 0; x < size - 1; x++)
      if (at(x, y) === at(x + 1, y) && at(x, y) === at(x, y + 1) && at(x, y) === at(x + 1, y + 1)) penalty += 3
  return penalty + 10 * Math.floor(Math.abs((count * 20) / (size * size) - 10))
}

function occurrences(text: string, part: string): number {
  let found = 0
  for (let i = text.indexOf(part); i >= 0; i = text.indexOf(part, i + 1)) found++
  return found
}

/** The empty squares around a code that a reader needs. */
const QUIET = 4

/**
 * As text for a terminal, two rows of squares in a line. Where the terminal shows light on dark, as most do, the light
 * squares are drawn; `inverted` is for the others.
 */
export function qrLines(code: QrCode, inverted = false): readonly string[] {
  const size = code.length + 2 * QUIET
  const isLit = (x: number, y: number): boolean => y < size && (code[y - QUIET]?.[x - QUIET] === true) === inverted
  const lines: string[] = []
  for (let y = 0; y < size; y += 2) {
    let text = ''
    for (let x = 0; x < size; x++) {
      const [upper, lower] = [isLit(x, y), isLit(x, y + 1)]
      text += upper ? (lower ? '█' : '▀') : lower ? '▄' : ' '
    }
    lines.push(text)
  }
  return lines
}
