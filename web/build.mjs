// The page (web/page), as files that any web server can serve: made by esbuild, and named after their contents. So a
// browser may keep them for ever, and a new version is a new name. files.json lists them with their hashes.
//
// The script is one classic script, and so are the parts that load later: a browser loads no module from a file, and
// the page must work from one.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { iconFiles } from './icons/draw.mjs'
import { pagePolicy } from './policy.mjs'

const web = dirname(fileURLToPath(import.meta.url))
const root = dirname(web)

/** @import { BuildOptions } from 'esbuild' */

/**
 * A file of the bundle.
 *
 * @typedef {{ path: string, type: string, content: Uint8Array }} BundleFile
 */

const TYPES = /** @type {const} */ ({
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  png: 'image/png',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
  webmanifest: 'application/manifest+json',
})

/**
 * Writes the page below `folder`, which is to become dist/web/page.
 *
 * @param {string} folder
 * @returns {Promise<string>} the hash of the bundle, in hex
 */
export async function buildPage(folder) {
  const { files, list } = await makePage()
  mkdirSync(folder, { recursive: true })
  for (const { path, content } of files) writeFileSync(join(folder, path), content)
  writeFileSync(join(folder, 'files.json'), `${JSON.stringify(list, undefined, 1)}\n`)
  return list.bundle
}

/** @returns the files, and what files.json says of them. */
export async function makePage() {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const [app, qrReader, rcReader, reasons, invitation] = await Promise.all([
    bundle('page/main.tsx', { define: { 'globalThis.PAGE_VERSION': JSON.stringify(version) } }),
    bundle('page/parts/qr-reader.ts', { globalName: 'ghostportQrReader' }),
    bundle('page/parts/rc-reader.ts', { globalName: 'ghostportRcReader' }),
    bundle('page/parts/reasons.ts', { globalName: 'ghostportReasons' }),
    bundle('page/parts/invitation.tsx', { globalName: 'ghostportInvitation' }),
  ])
  const style = await bundle('page/page.css', {})
  const openpgp = readFileSync(join(packageFolder('openpgp'), 'dist/openpgp.min.js'))

  /** @type {BundleFile[]} */
  const files = []
  const add = (/** @type {string} */ path, /** @type {Uint8Array | string} */ content) => {
    const type = TYPES[/** @type {keyof typeof TYPES} */ (path.split('.').at(-1))]
    files.push({ path, type, content: typeof content === 'string' ? Buffer.from(content) : content })
    return path
  }
  /** Named after its content, which never changes then. */
  const addHashed = (
    /** @type {string} */ name,
    /** @type {string} */ ending,
    /** @type {Uint8Array | string} */ content,
  ) => add(`${name}-${sha256(content).slice(0, 12)}.${ending}`, content)

  const parts = {
    qrReader: addHashed('qr-reader', 'js', qrReader),
    rcReader: addHashed('rc-reader', 'js', rcReader),
    reasons: addHashed('reasons', 'js', reasons),
    invitation: addHashed('invitation', 'js', invitation),
    // Not changed, and a file of its own: its licence (LGPL) lets everybody replace it.
    openpgp: addHashed('openpgp', 'js', openpgp),
  }
  const script = addHashed('page', 'js', `${defineParts(parts)}${app}`)
  const css = addHashed('page', 'css', style)
  const icons = iconFiles()
  for (const [path, content] of icons) add(path, content)
  add('licences.txt', licences([...VIEW_PACKAGES, '@noble/ciphers', '@noble/hashes', 'openpgp']))
  add('manifest.webmanifest', JSON.stringify(webManifest(), undefined, 1))
  add('index.html', html({ script, css }))

  const cached = files.map(({ path }) => path).filter((path) => path !== parts.openpgp && path !== 'index.html')
  const worker = await bundle('page/worker/service-worker.ts', {
    define: {
      'globalThis.CACHED': JSON.stringify(['./', ...cached, 'files.json']),
      'globalThis.CACHE_NAME': JSON.stringify(`ghostport-${bundleHash(files).slice(0, 16)}`),
    },
  })
  add('service-worker.js', worker)
  files.sort((a, b) => (a.path < b.path ? -1 : 1))
  const list = {
    version,
    bundle: bundleHash(files),
    policy: pagePolicy('header'),
    files: files.map(({ path, type, content }) => ({
      path,
      type,
      bytes: content.length,
      sha256: sha256(content),
      immutable: /-[0-9a-f]{12}\.[a-z]+$/.test(path),
    })),
  }
  return { files, list }
}

/** SHA-256 of what `sha256sum` prints for the files in the order of their names. */
export function bundleHash(/** @type {readonly BundleFile[]} */ files) {
  const lines = files
    .map(({ path, content }) => `${sha256(content)}  ${path}\n`)
    .sort((a, b) => (a.slice(66) < b.slice(66) ? -1 : 1))
  return sha256(lines.join(''))
}

export function sha256(/** @type {Uint8Array | string} */ content) {
  return createHash('sha256').update(content).digest('hex')
}

/**
 * @param {string} entry
 * @param {BuildOptions} more
 */
export async function bundle(entry, more) {
  const { build } = await import('esbuild')
  const { outputFiles } = await build({
    absWorkingDir: web,
    entryPoints: [entry],
    bundle: true,
    write: false,
    minify: true,
    format: 'iife',
    platform: 'browser',
    // Safari 16.4, Chrome 111, Firefox 113: those with all that the page needs.
    target: ['es2022', 'safari16.4', 'chrome111', 'firefox113'],
    conditions: ['ghostport-source', 'browser'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    charset: 'utf8',
    logLevel: 'warning',
    outdir: 'out',
    ...more,
  })
  return outputFiles?.[0]?.text ?? ''
}

/**
 * A folder of files for the program to serve. `list` writes files.json, which names them with their hashes.
 *
 * @param {string} folder
 */
export function servedFolder(folder) {
  mkdirSync(folder, { recursive: true })
  /** @type {{ path: string, sha256: string }[]} */
  const files = []
  const add = (/** @type {string} */ path, /** @type {Uint8Array | string} */ content) => {
    writeFileSync(join(folder, path), content)
    files.push({ path, sha256: sha256(content) })
    return path
  }
  return {
    add,
    /** Named after its content. */
    addHashed: (/** @type {string} */ name, /** @type {string} */ ending, /** @type {string} */ content) =>
      add(`${name}-${sha256(content).slice(0, 12)}.${ending}`, content),
    list: () => writeFileSync(join(folder, 'files.json'), `${JSON.stringify({ files }, undefined, 1)}\n`),
  }
}

function defineParts(/** @type {Record<string, string>} */ parts) {
  return `globalThis.PAGE_PARTS=${JSON.stringify(parts)};`
}

function html(/** @type {{ script: string, css: string }} */ { script, css }) {
  return readFileSync(join(web, 'page/index.html'), 'utf8')
    .replace('%POLICY%', pagePolicy('meta'))
    .replace('%STYLE%', css)
    .replace('%SCRIPT%', script)
}

function webManifest() {
  return {
    id: './',
    name: 'ghostport',
    short_name: 'ghostport',
    description: 'Opens a port that no scanner sees.',
    start_url: './',
    scope: './',
    display: 'standalone',
    background_color: '#f6f5f1',
    theme_color: '#f6f5f1',
    icons: [
      { src: 'icon.svg', sizes: 'any', type: 'image/svg+xml' },
      { src: 'icon-192.png', sizes: '192x192', type: 'image/png' },
      { src: 'icon-512.png', sizes: '512x512', type: 'image/png' },
      { src: 'icon-maskable-512.png', sizes: '512x512', type: 'image/png', purpose: 'maskable' },
    ],
  }
}

/** What every view is made of. */
export const VIEW_PACKAGES = ['preact', '@preact/signals', '@preact/signals-core', 'qr']

/**
 * The licences of all that is in a bundle.
 *
 * @param {readonly string[]} packages
 */
export function licences(packages) {
  const read = (/** @type {string} */ folder) => readFileSync(join(folder, 'LICENSE'), 'utf8').trim()
  const texts = [
    `## ghostport\n\n${read(root)}`,
    ...packages.map((name) => `## ${name}\n\n${read(packageFolder(name))}`),
  ]
  return `${texts.join('\n\n')}\n`
}

/**
 * Where a package is, found as Node.js finds it. Its own `exports` may hide the file that we want.
 *
 * @param {string} name
 */
export function packageFolder(name) {
  for (let folder = web; ; folder = dirname(folder)) {
    const found = join(folder, 'node_modules', name)
    if (existsSync(found)) return found
    if (folder === dirname(folder)) throw new Error(`the npm package ${name} is not installed: npm ci --ignore-scripts`)
  }
}
