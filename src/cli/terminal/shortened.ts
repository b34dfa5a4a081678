const MOST_SHOWN = 10

/** The first of a list, and how many more there are. */
export function shortened(all: readonly string[]): string {
  const more = all.length - MOST_SHOWN
  return `${all.slice(0, MOST_SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
