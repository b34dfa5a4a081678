/** `ghostport completions`: what a shell sources, to complete the commands and options of ghostport. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { nearest } from '../config/reading/nearest.ts'
import { refuse } from '../result.ts'
import { defineCommand } from './command.ts'

/** `npm run documents` writes them. */
const FILES: Readonly<Record<string, string>> = { bash: 'ghostport.bash', zsh: '_ghostport', fish: 'ghostport.fish' }

export const command = defineCommand({
  options: {},
  operands: { required: ['SHELL'] },
  about: ['Prints what SHELL needs to complete the commands and options of ghostport. SHELL is bash, zsh or fish.'],
  after: [
    'bash: ghostport completions bash > /etc/bash_completion.d/ghostport',
    'zsh:  ghostport completions zsh > /usr/local/share/zsh/site-functions/_ghostport',
    'fish: ghostport completions fish > ~/.config/fish/completions/ghostport.fish',
  ],
  run: async ({ operands: [shell = ''] }, { print }) => {
    const file = Object.hasOwn(FILES, shell) ? FILES[shell] : undefined
    if (file === undefined) {
      const meant = nearest(shell, Object.keys(FILES))
      return refuse('CLI_USAGE', `there are completions for bash, zsh and fish, not for “${shell}”`, {
        ...(meant !== undefined && { suggestion: `ghostport completions ${meant}` }),
      })
    }
    const path = fileURLToPath(new URL(`../../packaging/completions/${file}`, import.meta.url))
    print(readFileSync(path, 'utf8').trimEnd().split('\n'))
    return 0
  },
})
