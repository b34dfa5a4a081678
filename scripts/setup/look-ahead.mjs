// Checks what a set-up needs and cannot make for itself, before it changes anything. If something is missing, the
// machine stays as it was.
import { accessSync, constants, existsSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { clone, memory } from './clone.mjs'
import { foreignModules, isInstalled, npmVersion } from './npm.mjs'
import { toolchainIsMissing, toolchainObstacle } from './toolchain.mjs'

/** The first npm that reads the lockfiles (version 3). */
const OLDEST_NPM = 7
/** Node.js, npm packages and dist/ together, rounded up. */
const CLONE_BYTES = 500e6

/**
 * @returns {Promise<readonly string[]>} why the set-up of this clone would fail, a sentence each; none where nothing is
 * known that could stop it.
 */
export async function obstaclesToClone() {
  const obstacles = []
  const node = toolchainObstacle()
  if (node !== undefined) obstacles.push(node)

  const folders = [clone, join(clone, 'toolchain'), ...(existsSync(memory) ? [memory] : [])]
  const locked = folders.find((folder) => !isWritable(folder))
  if (locked !== undefined) obstacles.push(`${locked} cannot be written to by this user`)

  const toInstall = [
    ...(toolchainIsMissing() ? [join(clone, 'toolchain')] : []),
    ...(isInstalled(clone) ? [] : [clone]),
  ]
  if (toInstall.length === 0) return obstacles
  for (const folder of toInstall) {
    const foreign = foreignModules(folder)
    if (foreign !== undefined) obstacles.push(foreign)
  }
  const version = await npmVersion()
  if (version === undefined) obstacles.push('there is no npm: install it (Debian: apt-get install npm)')
  else if (Number(version.split('.')[0]) < OLDEST_NPM)
    obstacles.push(`npm ${version} is too old to read package-lock.json: npm ${OLDEST_NPM} or newer is needed`)

  const { bavail, bsize } = statfsSync(clone)
  if (bavail * bsize < CLONE_BYTES)
    obstacles.push(`${clone} has ${megabytes(bavail * bsize)} MB free; ${megabytes(CLONE_BYTES)} MB are needed`)
  return obstacles
}

/** @param {string} folder */
function isWritable(folder) {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** @param {number} bytes */
function megabytes(bytes) {
  return Math.round(bytes / 1e6)
}
