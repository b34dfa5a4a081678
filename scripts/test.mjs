// npm test [-- PATTERN…]
import './setup/system-path.mjs'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { clone } from './setup/clone.mjs'
import { testPackages } from './setup/debian.mjs'
import { setUp } from './setup/set-up.mjs'
import { say } from './setup/terminal.mjs'

const ready = await setUp({ packages: testPackages }).catch((error) => {
  say(`set-up failed: ${error.message}`)
  say('0 passed, 1 failed') // the closing line is there whatever happens
  process.exit(1)
})
const suite = spawn(
  ready.node,
  ['--conditions=ghostport-source', join(clone, 'scripts', 'suite', 'main.ts'), ...process.argv.slice(2)],
  { cwd: clone, stdio: 'inherit', env: { ...process.env, GHOSTPORT_MISSING_PACKAGES: ready.missing.join(' ') } },
)
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => suite.kill(signal))
suite.once('exit', (status) => process.exit(status ?? 1))
