// npm run vectors [-- FILE…]
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { clone } from './setup/clone.mjs'
import { setUpClone } from './setup/set-up.mjs'
import { reportAndExit } from './setup/terminal.mjs'

const node = await setUpClone().catch(reportAndExit)
const program = join(clone, 'scripts', 'vectors.ts')
const judge = spawn(node, ['--conditions=ghostport-source', program, ...process.argv.slice(2)], { stdio: 'inherit' })
judge.once('exit', (status) => process.exit(status ?? 1))
