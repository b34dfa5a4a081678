// The icon: a ghost with a keyhole. Drawn here as SVG, and as PNG for systems that take no SVG, from the same numbers.
import { deflateSync } from 'node:zlib'

const PAPER = [0x12, 0x17, 0x24]
const GHOST = [0xf4, 0xf3, 0xee]
const ROUND = 22

/** All in a square of 100. The ghost: an arch with three feet. The keyhole: a disc, and a wedge below it. */
const ghost = { left: 25, right: 75, top: 18, foot: 80, wave: 25 / 3 }
const hole = { x: 50, y: 45, radius: 9, top: 4, bottom: 7.5, end: 66 }

/** @returns {readonly (readonly [string, Uint8Array | string])[]} path and content */
export function iconFiles() {
  return [
    ['icon.svg', iconSvg()],
    ['icon-180.png', png(180, { round: false, scale: 1 })],
    ['icon-192.png', png(192, { round: true, scale: 1 })],
    ['icon-512.png', png(512, { round: true, scale: 1 })],
    // Systems cut a circle out of it: all that matters is in the middle.
    ['icon-maskable-512.png', png(512, { round: false, scale: 0.8 })],
  ]
}

function iconSvg() {
  const { left, right, top, foot, wave } = ghost
  const radius = (right - left) / 2
  const feet = Array.from({ length: 3 }, () => `a${wave} ${wave} 0 0 1 -${2 * wave} 0`).join('')
  const body = `M${left} ${foot}V${top + radius}a${radius} ${radius} 0 0 1 ${2 * radius} 0V${foot}${feet}z`
  const { x, y, radius: r, top: t, bottom: b, end } = hole
  const key = `M${x - t} ${y}L${x - b} ${end}H${x + b}L${x + t} ${y}z`
  return [
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">',
    `<rect width="100" height="100" rx="${ROUND}" fill="${hex(PAPER)}"/>`,
    `<path d="${body}" fill="${hex(GHOST)}"/>`,
    `<circle cx="${x}" cy="${y}" r="${r}" fill="${hex(PAPER)}"/><path d="${key}" fill="${hex(PAPER)}"/>`,
    '</svg>\n',
  ].join('')
}

/** @param {readonly number[]} colour */
function hex(colour) {
  return `#${colour.map((part) => part.toString(16).padStart(2, '0')).join('')}`
}

/**
 * Whether a point of the square of 100 is in the ghost.
 *
 * @param {number} x
 * @param {number} y
 */
function isGhost(x, y) {
  const { left, right, top, foot, wave } = ghost
  const radius = (right - left) / 2
  if (x < left || x > right || y < top) return false
  if (y < top + radius && Math.hypot(x - 50, y - top - radius) > radius) return false
  const inFoot = y > foot && Math.hypot(((x - left) % (2 * wave)) - wave, y - foot) > wave
  if (inFoot) return false
  const { x: hx, y: hy, radius: r, top: t, bottom: b, end } = hole
  if (Math.hypot(x - hx, y - hy) < r) return false
  return !(y >= hy && y <= end && Math.abs(x - hx) < t + ((b - t) * (y - hy)) / (end - hy))
}

/** @param {number} x @param {number} y */
function isPaper(x, y) {
  const dx = Math.max(ROUND - x, x - (100 - ROUND), 0)
  const dy = Math.max(ROUND - y, y - (100 - ROUND), 0)
  return Math.hypot(dx, dy) <= ROUND
}

/**
 * @param {number} size in pixels
 * @param {{ round: boolean, scale: number }} form
 */
function png(size, { round, scale }) {
  const samples = 4
  const rows = Buffer.alloc(size * (1 + 4 * size))
  for (let py = 0; py < size; py++)
    for (let px = 0; px < size; px++) {
      let [ghosts, papers] = [0, 0]
      for (let i = 0; i < samples * samples; i++) {
        const x = (100 * (px + ((i % samples) + 0.5) / samples)) / size
        const y = (100 * (py + (Math.floor(i / samples) + 0.5) / samples)) / size
        if (round && !isPaper(x, y)) continue
        papers++
        if (isGhost(50 + (x - 50) / scale, 50 + (y - 50) / scale)) ghosts++
      }
      const at = py * (1 + 4 * size) + 1 + 4 * px
      for (let c = 0; c < 3; c++) {
        const share = papers === 0 ? 0 : ghosts / papers
        rows[at + c] = Math.round((GHOST[c] ?? 0) * share + (PAPER[c] ?? 0) * (1 - share))
      }
      rows[at + 3] = Math.round((255 * papers) / samples ** 2)
    }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(size, 0)
  head.writeUInt32BE(size, 4)
  head.set([8, 6, 0, 0, 0], 8)
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

/** @param {string} name @param {Uint8Array} data */
function chunk(name, data) {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), data])
  const whole = Buffer.alloc(body.length + 8)
  whole.writeUInt32BE(data.length, 0)
  whole.set(body, 4)
  whole.writeUInt32BE(crc(body), body.length + 4)
  return whole
}

/** CRC-32 of PNG (ISO 3309); zlib.crc32 is in newer versions of Node.js alone. @param {Uint8Array} bytes */
function crc(bytes) {
  let value = 0xffffffff
  for (const byte of bytes) {
    value ^= byte
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
  }
  return (value ^ 0xffffffff) >>> 0
}
