/** The word that a user probably meant: for each reader that refuses an unknown one. */

/** Longer words are no slip. To compare them takes time by their length. */
const LONGEST = 100

/**
 * @param candidates the right words.
 * @returns the one nearest to `word` by Damerau–Levenshtein distance, ignoring case, or the only one that `word`
 * begins; `undefined` where none is near enough to be a likely slip.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  if (word.length > LONGEST) return undefined
  const typed = word.toLowerCase()
  let best: { candidate: string; distance: number } | undefined
  for (const candidate of candidates) {
    const distance = editDistance(typed, candidate.toLowerCase())
    if (best === undefined || distance < best.distance) best = { candidate, distance }
  }
  // One slip in three letters; a two-letter word may have one.
  if (best !== undefined && best.distance <= Math.max(1, Math.floor(word.length / 3))) return best.candidate
  const begun = typed.length < 2 ? [] : candidates.filter((candidate) => candidate.toLowerCase().startsWith(typed))
  return begun.length === 1 ? begun[0] : undefined
}

/** Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1)
      row.push(cost)
    }
    beforeLast = last
    last = row
  }
  return last[b.length] ?? 0
}
