// npm run documents
import { runProgram } from './setup/program.mjs'
import { setUpClone } from './setup/set-up.mjs'
import { reportAndExit } from './setup/terminal.mjs'

runProgram(await setUpClone().catch(reportAndExit), 'scripts/documents/main.ts')
