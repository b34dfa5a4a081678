/**
 * The inverse of one change to this host, and the shell script that carries inverses out. The script needs a shell and
 * coreutils, and no Node.js: it has to work when nothing of ours does.
 *
 * An inverse concerns our own objects and byte copies of files. “Flush all rules and load the old ones” is none: beside
 * a firewall that owns its table it fails as a whole.
 */

/** How one change is taken back. */
export type Inverse =
  | {
      readonly kind: 'file'
      /** Absolute. */
      readonly path: string
      /** The copy with content, owner, mode and extended attributes. Absent: there was no such file. */
      readonly copy?: string
      /** SHA-256 of what we wrote, in hexadecimal. A file that is different by now was changed by somebody else. */
      readonly wrote: string
    }
  /** A folder that we made: removed if it is empty. */
  | { readonly kind: 'folder'; readonly path: string }
  /** A program with its arguments. Its failure is reported, unless `mayFail` is set. */
  | { readonly kind: 'run'; readonly argv: readonly [string, ...string[]]; readonly mayFail?: true }

/** One change: what it was, for people, and how it is taken back. */
export interface Change {
  /** “wrote /etc/fwknop/access.conf”: begins with a verb in the past tense. */
  readonly what: string
  readonly inverse: Inverse
}

export interface ScriptPaths {
  /** Exists while the changes wait for a confirmation. The script removes it when all was taken back. */
  readonly pending: string
  /** The script makes this file when all was taken back. */
  readonly undone: string
}

/** The ending of a file that somebody changed after us: it is kept beside the one that is put back. */
export const KEPT_ENDING = '.before-ghostport-undo'

/** @returns the script that takes all changes back, the last one first. Running it twice does no harm. */
export function renderScript(changes: readonly Change[], { pending, undone }: ScriptPaths): string {
  const steps = [...changes].reverse().map(({ what, inverse }) => `# ${oneLine(what)}\n${renderInverse(inverse)}`)
  return `#!/bin/sh
# Takes back what ghostport changed on this host, the last change first. Written by ghostport before each change.
# Exit status: 0 if all was taken back. Else the rest is tried again at the next boot.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
failed=0

say() { printf 'ghostport: %s\\n' "$1" >&2; }
must() { "$@" || { failed=1; first="\${first:-this failed: $*}"; say "this failed: $*"; }; }
may() { "$@" >/dev/null 2>&1 || :; }
is_ours() { [ "$(sha256sum <"$1" | cut -c1-64)" = "$2" ]; }
# FILE HASH: keeps a file that was changed after ghostport wrote it.
keep() {
  [ -f "$1" ] || return 0
  is_ours "$1" "$2" && return 0
  say "$1 was changed meanwhile; it is kept as $1${KEPT_ENDING}"
  must cp -a --no-target-directory -- "$1" "$1${KEPT_ENDING}"
}
# COPY FILE: by a new name first, so that there is always a whole file.
put_back() {
  cp -a --no-target-directory -- "$1" "$2.ghostport-undo" &&
    mv -f --no-target-directory -- "$2.ghostport-undo" "$2"
}

${steps.join('\n')}
may systemctl daemon-reload
sync
if [ "$failed" = 0 ]; then
  # In this order: after a crash between the two, all of it is done once more.
  must touch -- ${word(undone)}
fi
if [ "$failed" = 0 ]; then
  must rm -f -- ${word(pending)}
fi
# The last line is what ghostport shows.
[ "$failed" = 0 ] || say "$first"
exit "$failed"
`
}

function renderInverse(inverse: Inverse): string {
  switch (inverse.kind) {
    case 'file': {
      const path = word(inverse.path)
      const back =
        inverse.copy === undefined
          ? `must rm -f -- ${path}`
          : // The second run finds the old file already there.
            `cmp -s -- ${word(inverse.copy)} ${path} || must put_back ${word(inverse.copy)} ${path}`
      const isOld = inverse.copy === undefined ? '' : `cmp -s -- ${word(inverse.copy)} ${path} || `
      return `${isOld}keep ${path} ${inverse.wrote}\n${back}`
    }
    case 'folder':
      return `may rmdir -- ${word(inverse.path)}`
    case 'run':
      return `${inverse.mayFail ? 'may' : 'must'} ${inverse.argv.map(word).join(' ')}`
    default:
      return inverse satisfies never
  }
}

/** Any text as one word for a POSIX shell. */
export function word(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** A comment must not end early: what follows would be a command. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
}
