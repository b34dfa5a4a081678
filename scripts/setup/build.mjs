// dist/: the compiled package, as it would be published. It is made again when its sources have changed, beside the old
// one, and swapped in as a whole. So no process runs half a build, and no file of an older source stays.
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bundleForBrowsers, bundlePrograms } from './bundle.mjs'
import { clone, memory } from './clone.mjs'
import { requirePlatformPackage } from './npm.mjs'
import { run } from './terminal.mjs'

const dist = join(clone, 'dist')
const stamp = join(memory, 'built')

export function buildIsStale() {
  try {
    return !existsSync(dist) || readFileSync(stamp, 'utf8') !== fingerprint()
  } catch {
    return true
  }
}

/** @param {string} node the Node.js that compiles */
export async function build(node) {
  const made = fingerprint()
  const next = join(memory, 'dist')
  const old = join(memory, 'dist-old')
  for (const folder of [next, old]) rmSync(folder, { recursive: true, force: true })
  await compile(node, next)
  if (existsSync(dist)) renameSync(dist, old)
  renameSync(next, dist)
  rmSync(old, { recursive: true, force: true })
  writeFileSync(stamp, made)
}

/**
 * Makes what dist/ consists of in `folder`: the library by the compiler, with its types, and the programs as bundles.
 *
 * @param {string} node the Node.js that compiles
 * @param {string} folder
 */
export async function compile(node, folder) {
  requirePlatformPackage(`@typescript/typescript-${process.platform}-${process.arch}`)
  const tsc = join(clone, 'node_modules', 'typescript', 'bin', 'tsc')
  await run(node, [tsc, '-p', 'tsconfig.build.json', '--outDir', folder], { cwd: clone })
  // Loaded here: it needs packages that the set-up installs.
  const { buildPage } = await import('../../web/build.mjs')
  const { buildUi } = await import('../../web/build-ui.mjs')
  const { buildConsole } = await import('../../web/build-console.mjs')
  const web = join(folder, 'web')
  await Promise.all([
    bundlePrograms(folder),
    bundleForBrowsers(folder),
    buildPage(join(web, 'page')),
    buildUi(join(web, 'ui')),
    buildConsole(join(web, 'console')),
  ])
  for (const path of Object.values(programs())) chmodSync(join(folder, path.replace(/^dist\//, '')), 0o755)
}

/** @returns {Record<string, string>} */
function programs() {
  return JSON.parse(readFileSync(join(clone, 'package.json'), 'utf8')).bin
}

function fingerprint() {
  const hash = createHash('sha256')
  const add = (/** @type {string} */ file) =>
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(join(clone, file)))
      .update('\0')
  for (const file of [
    'tsconfig.json',
    'tsconfig.build.json',
    'package.json',
    'package-lock.json',
    'scripts/setup/build.mjs',
    'scripts/setup/bundle.mjs',
    'docs/ERRORS.md',
  ])
    add(file)
  const walk = (/** @type {string} */ folder) => {
    const entries = readdirSync(join(clone, folder), { withFileTypes: true })
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = `${folder}/${entry.name}`
      if (entry.isDirectory()) walk(path)
      else if (!path.endsWith('.test.ts')) add(path)
    }
  }
  walk('src')
  walk('web')
  return hash.digest('hex')
}
