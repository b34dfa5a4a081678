/** Paths in configuration files: where the relative ones start. */

/**
 * The folder of a file, without a `/` at the end: empty for the root. A name alone lies in the folder that we run in.
 */
export function folderOf(file: string): string {
  const slash = file.lastIndexOf('/')
  return slash < 0 ? '.' : file.slice(0, slash)
}

/**
 * A path as a file says it, seen from where we are. One file gets one spelling, so that a file that includes itself is
 * found out: `../` and `//` go. `..` stays, since behind a link it leads elsewhere than its spelling.
 */
export function relativeTo(folder: string, path: string): string {
  const whole = path.startsWith('/') || folder === '.' ? path : `${folder}/${path}`
  return whole.replace(/\/{2,}/g, '/').replace(/(^|\/)(?:\.\/)+/g, '$1')
}
