// npm run bench [-- MEASURE…]
import './setup/system-path.mjs'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { clone } from './setup/clone.mjs'
import { testPackages } from './setup/debian.mjs'
import { setUp } from './setup/set-up.mjs'
import { reportAndExit } from './setup/terminal.mjs'

const { node } = await setUp({ packages: testPackages }).catch(reportAndExit)
const bench = spawn(
  node,
  ['--conditions=ghostport-source', join(clone, 'bench', 'main.ts'), ...process.argv.slice(2)],
  {
    cwd: clone,
    stdio: 'inherit',
  },
)
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => bench.kill(signal))
bench.once('exit', (status) => process.exit(status ?? 1))
