// npm test [-- PATTERN…]
import './setup/system-path.mjs'
import { testPackages } from './setup/debian.mjs'
import { runProgram } from './setup/program.mjs'
import { setUp } from './setup/set-up.mjs'
import { say } from './setup/terminal.mjs'

const { node, missing } = await setUp({ packages: testPackages }).catch((error) => {
  say(`set-up failed: ${error.message}`)
  say('0 passed, 1 failed') // the closing line is always there
  process.exit(1)
})
runProgram(node, 'scripts/suite/main.ts', { GHOSTPORT_MISSING_PACKAGES: missing.join(' ') })
