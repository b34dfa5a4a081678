// npm run deb [-- OPTIONS…]: the Debian packages, in deb/.
import { runProgram } from './setup/program.mjs'
import { setUpClone } from './setup/set-up.mjs'
import { reportAndExit } from './setup/terminal.mjs'

runProgram(await setUpClone().catch(reportAndExit), 'scripts/deb/main.ts')
