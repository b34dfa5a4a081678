// The page of `ghostport console` (web/console): one script and one style. The program serves them.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { bundle, licences, servedFolder, VIEW_PACKAGES } from './build.mjs'
import { explanations } from './explanations.mjs'
import { iconFiles } from './icons/draw.mjs'

const web = dirname(fileURLToPath(import.meta.url))

/** Of the first load, compressed, in bytes. */
export const MOST_BYTES = 100_000

/**
 * Writes the files into `folder`, which is to become dist/web/console.
 *
 * @param {string} folder
 * @returns {Promise<number>} the bytes of the first load, compressed
 */
export async function buildConsole(folder) {
  const [app, style] = await Promise.all([bundle('console/main.tsx', {}), bundle('console/console.css', {})])
  const { add, addHashed, list } = servedFolder(folder)
  const script = `globalThis.CONSOLE_EXPLANATIONS=${JSON.stringify(explanations())};${app}`
  const scriptName = addHashed('console', 'js', script)
  const styleName = addHashed('console', 'css', style)
  for (const [path, content] of iconFiles()) if (path === 'icon.svg') add(path, content)
  const html = readFileSync(join(web, 'console/index.html'), 'utf8')
    .replace('%STYLE%', styleName)
    .replace('%SCRIPT%', scriptName)
  add('index.html', html)
  add('licences.txt', licences(VIEW_PACKAGES))
  list()
  const firstLoad = [script, style, html].reduce((sum, it) => sum + gzipSync(it, { level: 9 }).length, 0)
  if (firstLoad > MOST_BYTES)
    throw new Error(`the first load of the console has ${firstLoad} bytes: ${MOST_BYTES} at most`)
  return firstLoad
}
