// npm start [-- --keep | --down | --stage root|user|loopback]
import './setup/system-path.mjs'
import { storyPackages } from './setup/debian.mjs'
import { runProgram } from './setup/program.mjs'
import { setUp } from './setup/set-up.mjs'
import { reportAndExit } from './setup/terminal.mjs'

const { node } = await setUp({ packages: storyPackages }).catch(reportAndExit)
runProgram(node, 'scripts/story/main.ts')
