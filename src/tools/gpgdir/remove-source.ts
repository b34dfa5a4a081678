/** How a source is removed: unlink(2), or the program wipe. */
import { spawn } from 'node:child_process'
import { accessSync, constants, unlinkSync } from 'node:fs'
import { isUnicode } from '../../bytes/text.ts'
import { type Failure, ok, type Result, refuse } from '../../result.ts'
import { systemReason } from '../../system/errno.ts'
import type { Folder } from './folder.ts'
import type { Request } from './request.ts'

/** Removes a file. @throws why it cannot. */
export type Remover = (folder: Folder, name: string) => Promise<void>

/** The arguments of wipe are words: no shell sees a name. */
export function removerOf({ wipe }: Request): Result<Remover, Failure<'GPGDIR_REFUSED'>> {
  if (wipe === undefined) return ok(async (folder, name) => unlinkSync(folder.path(name)))
  try {
    accessSync(wipe.program, constants.X_OK)
  } catch {
    return refuse('GPGDIR_REFUSED', `${wipe.program} cannot be run (Debian: package wipe)`, {
      suggestion: '--wipe-path',
    })
  }
  return ok(
    (folder, name) =>
      new Promise((done, fail) => {
        // Node.js hands over arguments as UTF-8 only.
        if (!isUnicode(name)) return fail(new Error('its name is not UTF-8, and cannot be told to wipe'))
        // The descriptor of the folder is ours: wipe reaches the file by our entry in /proc.
        const path = folder.path(name).toString().replace('/proc/self/', `/proc/${process.pid}/`)
        const child = spawn(wipe.program, [...wipe.args, path], { stdio: 'inherit' })
        child.once('error', (error) => fail(new Error(systemReason(error))))
        child.once('close', (status) =>
          status === 0 ? done() : fail(new Error(`${wipe.program} ended with status ${status}`)),
        )
      }),
  )
}
