/**
 * How many places one share may take of those that all shares have in common. It must leave as many places free as it
 * holds then: one share gets half of all, the next one half of the rest, and so on. So two that take all they can get
 * leave a place for a third. What a share gives back, the others may take.
 */
export function mayTake({ held, more = 1, free }: { held: number; more?: number; free: number }): boolean {
  return held + more <= free
}
