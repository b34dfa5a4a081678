#!/usr/bin/env node
/**
 * The `ghostport` command of the Debian package ghostport-client: the client alone. What is imported here, and by that
 * in turn, has to load on every Node.js since 18 (start-program.ts).
 */
import { clientCommands, serverCommands } from './client-commands.ts'
import { ghostportProgram } from './ghostport-program.ts'
import { startProgram } from './start-program.ts'

await startProgram(ghostportProgram(clientCommands, serverCommands))
