/**
 * The list of files that a purge of the package may remove: those that we made. A file that was there before us is not
 * ours, even if we changed it. The form is that of sha256sum; postrm of the Debian package reads it.
 */
import type { Change } from '../way-back/inverse.ts'

/**
 * @param before the list so far, or nothing.
 * @returns the list with the new files of the changes, in their last state.
 */
export function installedFiles(before: string, changes: readonly Change[]): string {
  const lines = before.split('\n').filter((line) => line !== '')
  const hashes = new Map(lines.map((line) => [line.slice(66), line.slice(0, 64)]))
  for (const { inverse } of changes)
    if (inverse.kind === 'file' && (inverse.copy === undefined || hashes.has(inverse.path)))
      hashes.set(inverse.path, inverse.wrote)
  return [...hashes].map(([path, hash]) => `${hash}  ${path}\n`).join('')
}
