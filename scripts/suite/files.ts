/** Which test files there are, and how many of them may run at once. */
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { sep } from 'node:path'

/** Test files that may run side by side. */
export interface Batch {
  readonly name: string
  readonly files: readonly string[]
  readonly concurrency: number
  /** The longest that one file may take. */
  readonly timeoutMilliseconds: number
}

// These start namespaces, daemons or browsers and look at clocks: a crowd would make them slow, and then wrong.
const HEAVY = ['test/netns/', 'test/host/', 'test/interop/', 'test/browser/', 'test/cli/', 'test/story/', 'bench/']
/** Takes many minutes: run only where a pattern asks for it. `npm run host-lab` does. */
const ON_DEMAND = 'test/host/full/'

/**
 * The test files below `root`, in batches.
 *
 * @param patterns keep only the files whose path contains one of these; where there is none, all but those on demand
 */
export function testBatches(root: string, patterns: readonly string[]): readonly Batch[] {
  const files = globSync(['src/**/*.test.ts', 'test/**/*.test.ts', 'scripts/**/*.test.ts', 'bench/**/*.test.ts'], {
    cwd: root,
  })
    .map((file) => file.split(sep).join('/'))
    .filter((file) =>
      patterns.length === 0 ? !file.startsWith(ON_DEMAND) : patterns.some((pattern) => file.includes(pattern)),
    )
    .sort()
  const isHeavy = (file: string) => HEAVY.some((folder) => file.startsWith(folder))
  const batches: Batch[] = [
    {
      name: 'quick',
      files: files.filter((file) => !isHeavy(file)),
      concurrency: availableParallelism(),
      timeoutMilliseconds: 180_000,
    },
    { name: 'whole programs', files: files.filter(isHeavy), concurrency: 2, timeoutMilliseconds: 600_000 },
  ]
  return batches.filter((batch) => batch.files.length > 0)
}
