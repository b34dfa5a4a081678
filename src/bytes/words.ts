/** The words of a command line that no shell reads. */

/** The program first. */
export type Words = readonly [string, ...string[]]

/** @returns the words of a command; undefined if it has none. Blanks separate them, and nothing else has a meaning. */
export function splitWords(command: string): Words | undefined {
  const [first, ...more] = command.split(/[ \t\n\v\f\r]+/).filter((word) => word !== '')
  return first === undefined ? undefined : [first, ...more]
}
