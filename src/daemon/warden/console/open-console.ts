/** All parts of the console's desk. Loaded only where CONSOLE_USER is set. */
import { rmSync } from 'node:fs'
import type { Log } from '../../../log.ts'
import { type Failure, ok, type Result } from '../../../result.ts'
import { Desk, type DeskParts } from './desk.ts'
import { OwnCommands, type OwnProgram } from './own-command.ts'
import { serveConsole } from './socket.ts'

/** @returns what closes the socket, and ends what runs for the console. */
export async function openConsole(
  path: string,
  uid: number,
  { ownProgram, ...parts }: Omit<DeskParts, 'commands'> & { readonly ownProgram: OwnProgram },
  log: Log,
): Promise<Result<() => void, Failure<'CONFIG_UNWRITABLE' | 'CONFIG_EXPOSED'>>> {
  const commands = new OwnCommands(ownProgram)
  const served = await serveConsole(path, uid, new Desk({ ...parts, commands }), log)
  if (!served.ok) return served
  return ok(() => {
    commands.stop()
    served.value()
    rmSync(path, { force: true })
  })
}
