/** Reads QR codes in pictures. A part of its own, loaded when a picture or the camera is used. */
import decode from 'qr/decode.js'

/** @returns the text of the code, or undefined where none is seen. */
export function readQrCode(image: {
  readonly width: number
  readonly height: number
  readonly data: Uint8ClampedArray
}) {
  try {
    return decode(image, { format: 'RGBA', timeLimit: 200, effort: 8 })
  } catch {
    return undefined // no code in this picture
  }
}
