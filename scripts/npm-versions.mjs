// npm run npm-versions [-- MACHINE…]
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { clone } from './setup/clone.mjs'
import { setUpClone } from './setup/set-up.mjs'
import { reportAndExit } from './setup/terminal.mjs'

const node = await setUpClone().catch(reportAndExit)
const program = join(clone, 'scripts', 'npm-versions', 'main.ts')
const trial = spawn(node, [program, ...process.argv.slice(2)], { stdio: 'inherit' })
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => trial.kill(signal))
trial.once('exit', (status) => process.exit(status ?? 1))
