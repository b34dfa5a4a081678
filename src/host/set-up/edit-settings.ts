/** Changes settings in a text of fwknopd.conf, and leaves all else as it is. */

/**
 * @param text of the file; empty for a new one.
 * @param wanted name → value. The first line that sets one is replaced; further ones become comments.
 */
export function withSettings(text: string, wanted: Readonly<Record<string, string>>): string {
  let edited = text === '' || text.endsWith('\n') ? text : `${text}\n`
  for (const [name, value] of Object.entries(wanted)) {
    const line = `${name.padEnd(23)} ${value};`
    const isThere = new RegExp(`^[\\t ]*${name}:?[\\t ]+[^\\n]*$`, 'gm')
    let seen = false
    edited = edited.replace(isThere, (old) => {
      // A second line for the same setting would be refused.
      if (seen) return `# ${old}`
      seen = true
      return sameSetting(old, line) ? old : line
    })
    if (!seen) edited += `${line}\n`
  }
  return edited
}

/** @returns the text without effect of these settings: each line that sets one becomes a comment. */
export function withoutSettings(text: string, names: readonly string[]): string {
  return names.reduce(
    (edited, name) => edited.replace(new RegExp(`^[\\t ]*${name}:?[\\t ]+[^\\n]*$`, 'gm'), (old) => `# ${old}`),
    text,
  )
}

/** Blanks and the semicolon do not count. */
function sameSetting(one: string, other: string): boolean {
  const bare = (line: string): string =>
    line
      .replace(/[\s;]+/g, ' ')
      .replace(':', '')
      .trim()
  return bare(one) === bare(other)
}
