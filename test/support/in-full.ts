/**
 * `npm run test-in-full` tries every row of long tables on real hosts; `npm test` some of each, so that it is done in
 * half an hour on two cores.
 */
export const IN_FULL = process.env['GHOSTPORT_TEST_IN_FULL'] === 'yes'

/** @returns all in full; otherwise the first, and each `every`th after it. */
export function some<T>(all: Iterable<T>, every: number): readonly T[] {
  return [...all].filter((_, i) => IN_FULL || i % every === 0)
}
