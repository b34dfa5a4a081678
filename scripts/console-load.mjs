// npm run console-load [-- MINUTES]
import './setup/system-path.mjs'
import { testPackages } from './setup/debian.mjs'
import { runProgram } from './setup/program.mjs'
import { setUp } from './setup/set-up.mjs'
import { reportAndExit } from './setup/terminal.mjs'

const { node } = await setUp({ packages: testPackages }).catch(reportAndExit)
runProgram(node, 'test/web/console-load.ts')
