// npm run page-hash [-- URL]
import { runProgram } from './setup/program.mjs'
import { setUpClone } from './setup/set-up.mjs'
import { reportAndExit } from './setup/terminal.mjs'

runProgram(await setUpClone().catch(reportAndExit), 'web/compare.mjs')
