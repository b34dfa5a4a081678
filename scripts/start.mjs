// npm start [-- --keep | --down | --stage root|user|loopback]
import './setup/system-path.mjs'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { clone } from './setup/clone.mjs'
import { storyPackages } from './setup/debian.mjs'
import { setUp } from './setup/set-up.mjs'
import { reportAndExit } from './setup/terminal.mjs'

const { node } = await setUp({ packages: storyPackages }).catch(reportAndExit)
const story = spawn(node, [join(clone, 'scripts', 'story', 'main.ts'), ...process.argv.slice(2)], {
  cwd: clone,
  stdio: 'inherit',
})
// The story takes everything down before it ends; wait for it. A terminal has told it by itself, kill(1) has not.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => story.kill(signal))
story.once('exit', (status) => process.exit(status ?? 1))
