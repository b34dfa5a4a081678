/** Numbers that are the same for each run with this seed (mulberry32). */
export function seededRandom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

export function shuffled<T>(from: readonly T[], next: (below: number) => number): readonly T[] {
  return from
    .map((item) => [next(1_000_000), item] as const)
    .sort(([one], [other]) => one - other)
    .map(([, item]) => item)
}
