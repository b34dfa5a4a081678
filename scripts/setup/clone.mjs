// Where things are in this clone.
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const clone = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
/** What the set-up remembers; ignored by git. */
export const memory = join(clone, '.setup')
