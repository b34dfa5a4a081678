// Checks whose code a set-up runs. A user who can change this clone, or a folder above it, becomes root when root
// starts it. This file is part of the clone too: it warns of an accident, not of a clone that was already changed.
import { statSync } from 'node:fs'
import { dirname } from 'node:path'

const WRITABLE_BY_ALL = 0o002
const STICKY = 0o1000

/**
 * @param {string} folder the clone
 * @param {{ uid: number, sudoer?: number | undefined }} who runs this, and as whom that person logged in (sudo)
 * @returns {string | undefined} a warning; none where only root and that person can change what runs here
 */
export function strangersCode(folder, { uid, sudoer }) {
  if (uid !== 0) return undefined
  for (let above = dirname(folder), at = folder; ; at = above, above = dirname(at)) {
    const { uid: owner, mode } = statSync(at)
    const who = owner !== 0 && owner !== sudoer ? `user ${owner}` : undefined
    const all = (mode & WRITABLE_BY_ALL) !== 0 && (mode & STICKY) === 0 ? 'every user' : undefined
    const other = who ?? all
    if (other !== undefined)
      return (
        `${other} of this machine can change ${at}, and so what runs here as root. ` +
        `If you do not trust ${other} with root, stop this, read what is in it, and copy it to a folder of root’s own`
      )
    if (above === at) return undefined
  }
}

/** What {@link strangersCode} needs to know of this process. */
export function myself() {
  const { SUDO_UID } = process.env
  return { uid: process.getuid?.() ?? -1, sudoer: SUDO_UID === undefined ? undefined : Number(SUDO_UID) }
}
