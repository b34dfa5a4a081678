#!/usr/bin/env node
/** `gpgdir`: a tree of files, encrypted in place. It has to load on every Node.js since 18 (start-program.ts). */
import { startProgram } from './start-program.ts'

await startProgram({
  name: 'gpgdir',
  title: () => 'gpgdir',
  run: async (argv, terminal) => {
    const { runGpgdir } = await import('../tools/gpgdir/gpgdir-main.ts')
    return runGpgdir(argv, terminal)
  },
})
