// The Node.js that everything after the set-up runs with: the machine's own where it is new enough, else the one that
// toolchain/package-lock.json pins by version and hash. That binary comes from the npm registry and was not built by the
// Node.js project: it serves development and tests, and is no part of the published package.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { clone } from './clone.mjs'
import { install, isInstalled } from './npm.mjs'
import { SetUpError } from './terminal.mjs'

const folder = join(clone, 'toolchain')
const pinned = join(folder, 'node_modules', '.bin', 'node')
/** What development and tests use. */
const WANTED_MAJOR = 24
/** What the published package asks for (`engines`): node:sqlite without a flag. */
const OLDEST = [22, 13]

const [major, minor] = process.versions.node.split('.').map(Number)

export const machineNodeIsWanted = major >= WANTED_MAJOR
const machineNodeWorks = major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])
/** Whether there is a pinned binary for this kind of machine. */
const isPinnedHere = process.platform === 'linux' && (process.arch === 'x64' || process.arch === 'arm64')

export function toolchainIsMissing() {
  return !machineNodeIsWanted && isPinnedHere && !(isInstalled(folder) && existsSync(pinned))
}

export function installToolchain() {
  return install(folder)
}

/** The Node.js to go on with. */
export function nodeBinary() {
  if (machineNodeIsWanted) return process.execPath
  if (existsSync(pinned)) return pinned
  if (machineNodeWorks) return process.execPath
  throw new SetUpError(
    `Node.js ${process.versions.node} is too old, and there is no pinned one for ${process.platform}-${process.arch}: install Node.js ${WANTED_MAJOR}`,
  )
}
