// The page of `ghostport ui` (web/ui): one script, one style, and the part that reads QR codes. The program serves it.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundle, licences, sha256, VIEW_PACKAGES } from './build.mjs'
import { iconFiles } from './icons/draw.mjs'

const web = dirname(fileURLToPath(import.meta.url))

/**
 * Writes the files into `folder`, which is to become dist/web/ui.
 *
 * @param {string} folder
 */
export async function buildUi(folder) {
  const [app, reader, style] = await Promise.all([
    bundle('ui/main.tsx', {}),
    bundle('page/parts/qr-reader.ts', { globalName: 'ghostportQrReader' }),
    bundle('ui/ui.css', {}),
  ])
  mkdirSync(folder, { recursive: true })
  /** @type {{ path: string, sha256: string }[]} */
  const files = []
  const add = (/** @type {string} */ path, /** @type {Uint8Array | string} */ content) => {
    writeFileSync(join(folder, path), content)
    files.push({ path, sha256: sha256(content) })
    return path
  }
  const hashed = (/** @type {string} */ name, /** @type {string} */ ending, /** @type {string} */ content) =>
    add(`${name}-${sha256(content).slice(0, 12)}.${ending}`, content)
  const qrReader = hashed('qr-reader', 'js', reader)
  const script = hashed('ui', 'js', `globalThis.PAGE_PARTS=${JSON.stringify({ qrReader })};${app}`)
  const css = hashed('ui', 'css', style)
  for (const [path, content] of iconFiles()) if (path === 'icon.svg') add(path, content)
  const html = readFileSync(join(web, 'ui/index.html'), 'utf8').replace('%STYLE%', css).replace('%SCRIPT%', script)
  add('licences.txt', licences(VIEW_PACKAGES))
  add('index.html', html)
  writeFileSync(join(folder, 'files.json'), `${JSON.stringify({ files }, undefined, 1)}\n`)
}
