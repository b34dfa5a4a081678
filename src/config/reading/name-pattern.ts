/** Names that a pattern stands for: `web-*`, `db-?`. Names of stanzas and of nodes are the same in any case. */

/** Whether a word is a pattern, and not a name. */
export function isPattern(word: string): boolean {
  return /[*?]/.test(word)
}

/**
 * @param pattern `*` stands for any characters, also for none, and `?` for one.
 * @returns whether the name fits. It takes at most the product of both lengths.
 */
export function fitsPattern(pattern: string, name: string): boolean {
  const wanted = pattern.toLowerCase()
  const text = name.toLowerCase()
  let [at, from] = [0, 0]
  /** Behind the last `*`, and where the text that it stands for ends at present. */
  let star: { pattern: number; text: number } | undefined
  while (from < text.length) {
    if (wanted[at] === '*') star = { pattern: ++at, text: from }
    else if (at < wanted.length && (wanted[at] === '?' || wanted[at] === text[from])) [at, from] = [at + 1, from + 1]
    else if (star === undefined) return false
    else {
      star.text++
      ;[at, from] = [star.pattern, star.text]
    }
  }
  while (wanted[at] === '*') at++
  return at === wanted.length
}
