// The npm packages of a folder, exactly as in its lockfile: integrity-checked, install scripts off.
import { existsSync, lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { clone } from './clone.mjs'
import { outputOf, run, SetUpError } from './terminal.mjs'

/**
 * Whether `node_modules` in `folder` is what the lockfile asks for. npm writes `node_modules/.package-lock.json` at the
 * end of an install. So that file shows both what is installed and that the install was complete.
 *
 * @param {string} folder
 */
export function isInstalled(folder) {
  const installed = readPackages(join(folder, 'node_modules', '.package-lock.json'))
  const wanted = readPackages(join(folder, 'package-lock.json'))
  if (installed === undefined || wanted === undefined) return false
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '') continue
    const found = installed[path]
    // An optional package for another system is absent.
    if (found === undefined ? !entry.optional : !isSamePackage(found, entry)) return false
  }
  return Object.keys(installed).every((path) => wanted[path] !== undefined)
}

/**
 * What we read of a package's entry in a lockfile.
 *
 * @typedef {{ version?: string, integrity?: string, link?: boolean, optional?: boolean }} LockedPackage
 */

/**
 * @param {LockedPackage} a
 * @param {LockedPackage} b
 */
function isSamePackage(a, b) {
  return a.version === b.version && a.integrity === b.integrity && a.link === b.link
}

/**
 * @param {string} file
 * @returns {Record<string, LockedPackage> | undefined} by their paths
 */
function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages
  } catch {
    return undefined
  }
}

/**
 * That an optional package is there which this kind of machine needs: npm passes in silence over one that it cannot
 * fetch.
 *
 * @param {string} name
 * @param {string} folder whose node_modules are looked at
 */
export function requirePlatformPackage(name, folder = clone) {
  if (existsSync(join(folder, 'node_modules', name))) return
  throw new SetUpError(
    `npm did not install ${name}: the npm registry did not answer, or has no such package. ` +
      'To try again: npm ci --ignore-scripts',
  )
}

/**
 * Why `npm ci` must not run in `folder`, or `undefined`: npm would empty what a link points to, which is another
 * clone's.
 *
 * @param {string} folder
 */
export function foreignModules(folder) {
  const modules = join(folder, 'node_modules')
  if (!lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink()) return undefined
  return `${modules} is a link and does not match package-lock.json: renew it there`
}

/**
 * `npm ci` in `folder`.
 *
 * @param {string} folder
 */
export async function install(folder) {
  const foreign = foreignModules(folder)
  if (foreign !== undefined) throw new SetUpError(foreign)
  const [command, ...first] = npmCommand()
  const args = [...first, 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  await run(command, args, { cwd: folder, env: { ...process.env, NODE_ENV: 'development' } })
}

/** @returns {Promise<string | undefined>} the version of the npm that {@link install} would use, where there is one. */
export async function npmVersion() {
  const [command, ...first] = npmCommand()
  const version = (await outputOf(command, [...first, '--version']))?.trim()
  return version === '' ? undefined : version
}

/**
 * Run by npm, we use that very npm; it need not be on the PATH.
 *
 * @returns {[string, ...string[]]}
 */
export function npmCommand() {
  const npm = process.env['npm_execpath']
  return npm?.endsWith('.js') ? [process.execPath, npm] : ['npm']
}
