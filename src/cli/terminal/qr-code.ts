/**
 * A QR code of a text in the cells of a terminal. The npm package “qr” makes the code (ISO/IEC 18004, error correction
 * level L). Here it becomes half blocks.
 */

/** Rows of squares; `true` is dark. The empty squares around the code are not in it. */
export type QrCode = readonly (readonly boolean[])[]

/** As many as the largest code has room for, at level L, one byte for each. */
const MOST_CHARACTERS = 2953

/**
 * Loads the package only here: no other command needs it.
 * @param text ASCII.
 * @returns undefined for more characters than a QR code has room for.
 */
export async function qrCode(text: string): Promise<QrCode | undefined> {
  if (text.length > MOST_CHARACTERS) return undefined
  const { encodeQR } = await import('qr')
  const rows = encodeQR(text, 'raw', { ecc: 'low', encoding: 'byte', border: PACKAGE_BORDER })
  return rows.slice(PACKAGE_BORDER, -PACKAGE_BORDER).map((row) => row.slice(PACKAGE_BORDER, -PACKAGE_BORDER))
}

/** The package draws a border always. Ours is drawn by {@link qrLines}, since it depends on the colours. */
const PACKAGE_BORDER = 1

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
