// npm run bench [-- MEASURE…]
import './setup/system-path.mjs'
import { testPackages } from './setup/debian.mjs'
import { runProgram } from './setup/program.mjs'
import { setUp } from './setup/set-up.mjs'
import { reportAndExit } from './setup/terminal.mjs'

const { node } = await setUp({ packages: [...testPackages, 'goaccess'] }).catch(reportAndExit)
runProgram(node, 'bench/main.ts')
