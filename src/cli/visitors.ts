#!/usr/bin/env node
/** `visitors`: who visits a web server. It has to load on every Node.js since 18 (start-program.ts). */
import { startProgram } from './start-program.ts'

await startProgram({
  name: 'visitors',
  title: () => 'visitors',
  run: async (argv, terminal) => {
    const { runVisitors } = await import('../tools/visitors/visitors-main.ts')
    return runVisitors(argv, terminal)
  },
})
