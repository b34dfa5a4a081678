/** The texts of an event, in lower case, one after the other: what a filter looks in. */
export function searchText(event: { readonly [field: string]: unknown }): string {
  const parts: string[] = []
  for (const [name, value] of Object.entries(event)) {
    if (name === 'id' || name === 'at') continue
    if (typeof value === 'string') parts.push(value)
    else if (typeof value === 'number') parts.push(String(value))
    else if (Array.isArray(value)) parts.push(value.filter((it) => typeof it === 'string').join(' '))
  }
  return parts.join('\n').toLowerCase()
}

/** As {@link searchText}, of any object: its names count too. */
export function searchTextOf(value: Readonly<Record<string, unknown>>): string {
  return Object.entries(value)
    .map(([name, it]) => `${name} ${typeof it === 'string' ? it : JSON.stringify(it)}`)
    .join('\n')
    .toLowerCase()
}

/** Each word must be in the text. @param text in lower case. */
export function isFound(words: readonly string[], text: string): boolean {
  return words.every((word) => text.includes(word))
}

export function wordsOf(filter: string): readonly string[] {
  return filter.toLowerCase().split(/\s+/).filter(Boolean)
}
