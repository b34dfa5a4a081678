/** A QR code, drawn as one path. Always dark on white: readers want it so, in both themes. */
import type { JSX } from 'preact'
import encodeQR from 'qr'

/** The empty squares around a code that a reader needs. */
const QUIET = 4

export function QrCode({ text, label }: { readonly text: string; readonly label: string }): JSX.Element | null {
  const rows = rowsOf(text)
  if (rows === undefined) return null
  const size = rows.length + 2 * QUIET
  const path = rows
    .flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x + QUIET} ${y + QUIET}h1v1h-1z` : '')))
    .join('')
  return (
    <svg class="qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={label}>
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" shape-rendering="crispEdges" />
    </svg>
  )
}

/** @returns undefined for a text that is too long for a code. */
function rowsOf(text: string): readonly (readonly boolean[])[] | undefined {
  try {
    return encodeQR(text, 'raw', { ecc: 'low', encoding: 'byte', border: 1 })
      .slice(1, -1)
      .map((row) => row.slice(1, -1))
  } catch {
    return undefined
  }
}
