/** Reads a QR code from the cells of a terminal, as a camera would: Debian’s zbar reads a picture of them. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * @param lines of the terminal; those that hold no part of a code may be among them.
 * @param isLight whether the terminal shows light text on dark.
 * @returns the text of the code.
 */
export function readScreen(lines: readonly string[], isLight = true): string {
  const folder = mkdtempSync(join(tmpdir(), 'ghostport-qr-'))
  try {
    const file = join(folder, 'screen.pgm')
    writeFileSync(
      file,
      picture(
        lines.filter((line) => /^[█▀▄ ]+$/.test(line)),
        isLight,
      ),
    )
    const words = ['--quiet', '--raw', '-Sdisable', '-Sqrcode.enable', file]
    const { status, stdout, stderr, error } = spawnSync('zbarimg', words, { encoding: 'utf8', timeout: 60_000 })
    assert.equal(status, 0, `${error?.message ?? ''}${stderr}`)
    return stdout.replace(/\n$/, '')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A grey picture (PGM), each cell 4 pixels wide and 8 high. */
function picture(lines: readonly string[], isLight: boolean): Buffer {
  const cells = lines.map((line) => [...line])
  const width = Math.max(...cells.map(({ length }) => length))
  const [lit, dark] = isLight ? [255, 0] : [0, 255]
  const pixels: number[] = []
  for (const line of cells)
    for (const half of ['▀', '▄'])
      for (let repeat = 0; repeat < 4; repeat++)
        for (let x = 0; x < width; x++) pixels.push(...Array(4).fill(['█', half].includes(line[x] ?? ' ') ? lit : dark))
  return Buffer.concat([Buffer.from(`P5 ${width * 4} ${lines.length * 8} 255\n`), Buffer.from(pixels)])
}
