// npm run build
import { setUpClone } from './setup/set-up.mjs'
import { reportAndExit } from './setup/terminal.mjs'

await setUpClone().catch(reportAndExit)
