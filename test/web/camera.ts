/** A film for Chromium's false camera, which shows one QR code. */
import { encodeQR } from 'qr'

const [WIDTH, HEIGHT] = [640, 480]

/** @returns Y4M (YUV4MPEG2), one frame, which Chromium repeats. */
export function filmOf(text: string): Buffer {
  const rows = encodeQR(text, 'raw', { ecc: 'low', encoding: 'byte', border: 4 })
  const scale = Math.floor(HEIGHT / rows.length)
  const [left, top] = [WIDTH, HEIGHT].map((size) => Math.floor((size - scale * rows.length) / 2)) as [number, number]
  const light = Buffer.alloc(WIDTH * HEIGHT, 235)
  for (const [y, row] of rows.entries())
    for (const [x, isDark] of row.entries())
      if (isDark)
        for (let line = 0; line < scale; line++) {
          const at = (top + y * scale + line) * WIDTH + left + x * scale
          light.fill(16, at, at + scale)
        }
  const colour = Buffer.alloc((WIDTH * HEIGHT) / 2, 128)
  const head = `YUV4MPEG2 W${WIDTH} H${HEIGHT} F10:1 Ip A1:1 C420jpeg\n`
  const frame = Buffer.concat([Buffer.from('FRAME\n'), light, colour])
  return Buffer.concat([Buffer.from(head), frame, frame])
}

/** As a picture. */
export function pictureOf(text: string): { name: string; mimeType: string; buffer: Buffer } {
  return { name: 'code.gif', mimeType: 'image/gif', buffer: Buffer.from(encodeQR(text, 'gif', { scale: 4 })) }
}
