/** The QR code in a picture. The browser's own reader where it has one, else a part of this page. */
import { loadQrReader } from '../parts.ts'

interface Detector {
  detect(source: ImageBitmapSource): Promise<readonly { readonly rawValue: string }[]>
}
declare global {
  interface Window {
    readonly BarcodeDetector?: {
      new (options: { formats: string[] }): Detector
      getSupportedFormats(): Promise<string[]>
    }
  }
}

/** A larger picture is made smaller first: the codes of ghostport stay readable. */
const MOST_PIXELS = 1600

export async function codeInPicture(file: Blob): Promise<string | undefined> {
  let picture: ImageBitmap
  try {
    picture = await createImageBitmap(file)
  } catch {
    return undefined // no picture that this browser knows
  }
  try {
    return (await byBrowser(picture)) ?? (await codeIn(picture, picture))
  } finally {
    picture.close()
  }
}

/** @param size of the source, in pixels. */
export async function codeIn(
  source: CanvasImageSource,
  size: { readonly width: number; readonly height: number },
): Promise<string | undefined> {
  if (size.width === 0 || size.height === 0) return undefined
  const scale = Math.min(1, MOST_PIXELS / Math.max(size.width, size.height))
  const [width, height] = [Math.round(size.width * scale), Math.round(size.height * scale)]
  const canvas = document.createElement('canvas')
  canvas.width = width
  canvas.height = height
  const context = canvas.getContext('2d', { willReadFrequently: true })
  if (context === null) return undefined
  context.fillStyle = '#fff' // a code without ground is read on paper
  context.fillRect(0, 0, width, height)
  context.drawImage(source, 0, 0, width, height)
  const { readQrCode } = await loadQrReader()
  return readQrCode({ width, height, data: context.getImageData(0, 0, width, height).data })
}

async function byBrowser(picture: ImageBitmap): Promise<string | undefined> {
  const Detector = window.BarcodeDetector
  if (Detector === undefined) return undefined
  try {
    if (!(await Detector.getSupportedFormats()).includes('qr_code')) return undefined
    const [code] = await new Detector({ formats: ['qr_code'] }).detect(picture)
    return code?.rawValue
  } catch {
    return undefined
  }
}
