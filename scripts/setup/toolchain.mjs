// The Node.js that everything after the set-up runs with: the machine's own if it is new enough, else the one that
// toolchain/package-lock.json pins by version and hash. That binary comes from the npm registry and was not built by
// the Node.js project. It is for development and tests, and for the Debian packages; the npm package does not have it.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { clone } from './clone.mjs'
import { install, isInstalled } from './npm.mjs'
import { SetUpError } from './terminal.mjs'

const folder = join(clone, 'toolchain')
const packageName = `node-linux-${process.arch}`
// The binary itself: npm 9 of Debian 12 and 13 makes no link in .bin for an optional package.
const pinned = join(folder, 'node_modules', packageName, 'bin', 'node')
/** The version for development and tests. */
const WANTED_MAJOR = 24
/** The version that the published package requires (`engines`): node:sqlite without a flag. */
const OLDEST = { major: 22, minor: 13 }

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

const machineNodeIsWanted = major >= WANTED_MAJOR
const machineNodeWorks = major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor)

export function toolchainIsMissing() {
  return !machineNodeIsWanted && isPinnedHere() && !(isInstalled(folder) && existsSync(pinned))
}

/** Why there can be no Node.js to go on with, or `undefined`. Asked before anything is installed. */
export function toolchainObstacle() {
  if (machineNodeIsWanted || machineNodeWorks || isPinnedHere()) return undefined
  return `Node.js ${process.versions.node} is too old, and none is pinned for ${describeMachine()}: install Node.js ${WANTED_MAJOR}`
}

export async function installToolchain() {
  await install(folder)
  // The package is optional, because each kind of machine has its own. npm silently skips one that it cannot fetch.
  if (!existsSync(pinned))
    throw new SetUpError(`npm did not install ${packageName}: the npm registry does not answer, or has no such package`)
  const tried = spawnSync(pinned, ['--version'], { encoding: 'utf8' })
  if (tried.status !== 0)
    throw new SetUpError(
      `${pinned} does not run: ${tried.error?.message ?? (tried.stderr || `status ${tried.status}`).trim()}`,
    )
}

/** The Node.js to go on with, once {@link toolchainIsMissing} is false. */
export function nodeBinary() {
  if (!machineNodeIsWanted && existsSync(pinned)) return pinned
  const obstacle = toolchainObstacle()
  if (obstacle !== undefined) throw new SetUpError(obstacle)
  return process.execPath
}

/** Whether a binary is pinned that runs on this machine. They are built for the GNU C library. */
function isPinnedHere() {
  if (process.platform !== 'linux' || !usesGlibc()) return false
  const { packages } = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'))
  return packages[`node_modules/${packageName}`] !== undefined
}

/** Whether the machine has the loader that the pinned binaries name. */
function usesGlibc() {
  return existsSync(process.arch === 'arm64' ? '/lib/ld-linux-aarch64.so.1' : '/lib64/ld-linux-x86-64.so.2')
}

function describeMachine() {
  const libc = process.platform === 'linux' && !usesGlibc() ? ' without the GNU C library' : ''
  return `${process.platform}-${process.arch}${libc}`
}
