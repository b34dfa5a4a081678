// The page of `ghostport ui` (web/ui): one script, one style, and the part that reads QR codes. The program serves it.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundle, licences, servedFolder, VIEW_PACKAGES } from './build.mjs'
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
  const { add, addHashed, list } = servedFolder(folder)
  const qrReader = addHashed('qr-reader', 'js', reader)
  const script = addHashed('ui', 'js', `globalThis.PAGE_PARTS=${JSON.stringify({ qrReader })};${app}`)
  const css = addHashed('ui', 'css', style)
  for (const [path, content] of iconFiles()) if (path === 'icon.svg') add(path, content)
  const html = readFileSync(join(web, 'ui/index.html'), 'utf8').replace('%STYLE%', css).replace('%SCRIPT%', script)
  add('licences.txt', licences(VIEW_PACKAGES))
  add('index.html', html)
  list()
}
