#!/usr/bin/env node
/**
 * The `ghostport` command. What is imported here, and by that in turn, has to load on every Node.js since 18
 * (start-program.ts).
 */
import { commands } from './commands.ts'
import { ghostportProgram } from './ghostport-program.ts'
import { startProgram } from './start-program.ts'

await startProgram(ghostportProgram(commands))
