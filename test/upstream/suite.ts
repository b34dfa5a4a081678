/**
 * What is known of fwknop's own test suite from outside: how it names its cases, how one asks for some of them, and
 * what it prints about each. Pure.
 */

/** A case as the suite names it: `[category] [subcategory] what it does`. Unique in the suite. */
export type CaseName = string

/** The cases that a run without options has, in the suite's order: what `--List-mode` prints. */
export function casesOf(listing: string): readonly CaseName[] {
  return listing
    .split('\n')
    .filter(
      (line) =>
        line.startsWith('[') && !line.endsWith('(requires an --enable-* arg, see -h)') && !/^\[[+*-]\]/.test(line),
    )
}

/**
 * The argument of `--include` that selects these cases and no other. The suite cuts it at each comma, with the blanks
 * around it, and takes each piece as a Perl pattern.
 */
export function including(names: readonly CaseName[]): string {
  return names
    .map((name) => `^${name.replaceAll(/[^A-Za-z0-9 _]/g, (sign) => (sign === ',' ? '.' : `\\${sign}`))}$`)
    .join(',')
}

/** What the suite has said so far about the cases of its run, in the order in which it runs them. */
export interface Progress {
  /** The verdict of each case that has ended. */
  readonly ended: readonly ('passed' | 'failed')[]
  /** Whether the suite has said its closing line. */
  readonly isOver: boolean
}

/** Reads the suite's output: `NAME.....pass (N)` for the case N. */
export function progressOf(output: string): Progress {
  const ended: ('passed' | 'failed')[] = []
  for (const [, verdict, number] of output.matchAll(/(pass|fail) \((\d+)\)\n/g))
    ended[Number(number) - 1] = verdict === 'pass' ? 'passed' : 'failed'
  return { ended, isOver: /test buckets passed\/failed\/executed/.test(output) }
}

/**
 * Cases that look at the C build tree of fwknop and not at the behaviour of the two programs: their ELF hardening, its
 * library, its source files. They count in the strict share, as cases that we cannot pass.
 */
export function isAboutTheBuild(name: CaseName): boolean {
  return /^\[(build|build security|code structure|Makefile\.am|AFL)\]/.test(name)
}

/** The cases in `count` parts that keep the suite's order: some cases look at what the one before left. */
export function shards(names: readonly CaseName[], size: number): readonly (readonly CaseName[])[] {
  return Array.from({ length: Math.ceil(names.length / size) }, (_, part) =>
    names.slice(part * size, (part + 1) * size),
  )
}

/** A case that looks at the rc file which another one has made. */
const LOOKS_AT: ReadonlyMap<CaseName, CaseName> = new Map([
  ['[basic operations] [client] rc file created', '[Rijndael] [client+server] create rc file (tcp/22 ssh)'],
])

/** The same cases, and before each that looks at what another one left, that other one. */
export function withCasesBefore(names: readonly CaseName[]): readonly CaseName[] {
  return names.flatMap((name) => {
    const before = LOOKS_AT.get(name)
    return before === undefined || names.includes(before) ? [name] : [before, name]
  })
}
