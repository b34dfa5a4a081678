// Where things are in this clone.
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const clone = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
/** Where the set-up keeps its state; ignored by git. */
export const memory = join(clone, '.setup')
