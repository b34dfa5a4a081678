// The page of `ghostport console` (web/console): one script and one style. The program serves them.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { bundle, licences, sha256, VIEW_PACKAGES } from './build.mjs'
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
  const { version } = JSON.parse(readFileSync(join(web, '..', 'package.json'), 'utf8'))
  const [app, style] = await Promise.all([
    bundle('console/main.tsx', { define: { 'globalThis.CONSOLE_VERSION': JSON.stringify(version) } }),
    bundle('console/console.css', {}),
  ])
  mkdirSync(folder, { recursive: true })
  /** @type {{ path: string, sha256: string }[]} */
  const files = []
  let firstLoad = 0
  const add = (/** @type {string} */ path, /** @type {Uint8Array | string} */ content) => {
    writeFileSync(join(folder, path), content)
    files.push({ path, sha256: sha256(content) })
    return path
  }
  const first = (/** @type {string} */ path, /** @type {string} */ content) => {
    firstLoad += gzipSync(content, { level: 9 }).length
    return add(path, content)
  }
  const hashed = (/** @type {string} */ name, /** @type {string} */ ending, /** @type {string} */ content) =>
    first(`${name}-${sha256(content).slice(0, 12)}.${ending}`, content)
  const script = hashed('console', 'js', `globalThis.CONSOLE_EXPLANATIONS=${JSON.stringify(explanations())};${app}`)
  const css = hashed('console', 'css', style)
  for (const [path, content] of iconFiles()) if (path === 'icon.svg') add(path, content)
  const html = readFileSync(join(web, 'console/index.html'), 'utf8')
  first('index.html', html.replace('%STYLE%', css).replace('%SCRIPT%', script))
  add('licences.txt', licences(VIEW_PACKAGES))
  writeFileSync(join(folder, 'files.json'), `${JSON.stringify({ files }, undefined, 1)}\n`)
  if (firstLoad > MOST_BYTES)
    throw new Error(`the first load of the console has ${firstLoad} bytes: ${MOST_BYTES} at most`)
  return firstLoad
}
