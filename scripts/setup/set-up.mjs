// Makes a fresh clone ready to run, with only Node.js >= 18 and npm on the machine. It announces each step, does only
// what is missing, and is silent and quick if nothing is. Plain JavaScript without dependencies, because it runs before
// there are any, on the Node.js of the machine.
import { join } from 'node:path'
import { build, buildIsStale } from './build.mjs'
import { clone, memory } from './clone.mjs'
import { installPackages, isRoot, missingPackages, obstacleToPackages } from './debian.mjs'
import { withLock } from './lock.mjs'
import { obstaclesToClone } from './look-ahead.mjs'
import { install, isInstalled } from './npm.mjs'
import { SetUpError, say } from './terminal.mjs'
import { installToolchain, nodeBinary, toolchainIsMissing } from './toolchain.mjs'
import { myself, strangersCode } from './whose-code.mjs'

// Two clones share one dpkg. Only root installs, and only root may write here.
const APT_LOCK = '/run/ghostport-set-up.lock'

/**
 * What concerns the whole machine comes last: where the clone cannot be set up, no Debian package is installed for
 * nothing.
 *
 * @param {{ packages: readonly string[] }} needs the Debian packages to have
 * @returns {Promise<{ node: string, missing: readonly string[] }>} the Node.js to go on with, and what is still missing
 */
export async function setUp({ packages }) {
  const stranger = strangersCode(clone, myself())
  if (stranger !== undefined) say(`set-up: warning: ${stranger}`)
  const missing = await missingPackages(packages)
  announce(missing)
  refuseAt(isCloneReady() ? [] : await obstaclesToClone())
  const installs = isRoot && missing !== undefined && missing.length > 0
  if (installs)
    await withLock(APT_LOCK, async () => {
      const obstacle = await obstacleToPackages(missing)
      refuseAt(obstacle === undefined ? [] : [obstacle])
    })
  const node = await makeClone()
  if (installs)
    await withLock(APT_LOCK, async () => {
      // Checked again under the lock: another set-up may have installed them meanwhile.
      const now = await missingPackages(packages)
      if (now !== undefined && now.length > 0) await installPackages(now)
    })
  return { node, missing: isRoot ? ((await missingPackages(missing ?? [])) ?? []) : (missing ?? []) }
}

/** The clone's own part: Node.js, npm packages, dist/. */
export async function setUpClone() {
  if (isCloneReady()) return nodeBinary()
  refuseAt(await obstaclesToClone())
  return makeClone()
}

function isCloneReady() {
  return !toolchainIsMissing() && isInstalled(clone) && !buildIsStale()
}

async function makeClone() {
  if (isCloneReady()) return nodeBinary()
  return withLock(join(memory, 'lock'), async () => {
    if (toolchainIsMissing()) await installToolchain()
    if (!isInstalled(clone)) await install(clone)
    const node = nodeBinary()
    if (buildIsStale()) await build(node)
    return node
  })
}

/** @param {readonly string[]} obstacles */
function refuseAt(obstacles) {
  if (obstacles.length === 0) return
  throw new SetUpError(`nothing was installed:\n${obstacles.map((obstacle) => `  - ${obstacle}`).join('\n')}`)
}

/** @param {readonly string[] | undefined} missing as {@link missingPackages} gives them */
function announce(missing) {
  const plan = []
  const debian = []
  if (missing === undefined) say('set-up: this is not a Debian system; the programs that are missing will be left out')
  else if (missing.length > 0 && isRoot)
    debian.push(`install the Debian packages ${missing.join(', ')} (starting no service)`)
  else if (missing.length > 0) say(`set-up: not root, so going on without the Debian packages ${missing.join(', ')}`)
  if (toolchainIsMissing()) plan.push(`install Node.js for this clone, since the machine's is ${process.versions.node}`)
  if (!isInstalled(clone)) plan.push('install the npm packages of package-lock.json, without running their scripts')
  if (buildIsStale()) plan.push('compile src/ into dist/')
  plan.push(...debian)
  if (plan.length > 0) say(`set-up will\n${plan.map((step) => `  - ${step}`).join('\n')}`)
}
