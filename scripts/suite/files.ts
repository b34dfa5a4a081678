/** Which test files there are, and how many of them may run at once. */
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/** Test files that may run side by side. */
export interface Batch {
  readonly files: readonly string[]
  readonly concurrency: number
  /** Files that mostly wait for a clock. Two of them run beside the others. */
  readonly patient: readonly string[]
  /** The longest that one file may take, in seconds. */
  readonly limit: number
}

// These start namespaces, daemons or browsers and read clocks: too many at once would be slow, and then wrong.
const HEAVY = /^(test\/(netns|host|packages|interop|browser|web|cli|story|tools|upstream)|bench)\//
// Measured: these use less than a third of a processor.
const PATIENT =
  /^test\/(netns\/(half-closed|gateway|client-wait|serve-replays|outside-knock|attack-iptables|interface-checks|nothing-received)|interop\/client-ssh|host\/(init|readme))\.test\.ts$/
/** Takes many minutes: runs only if a pattern asks for it, as `npm run host-lab` does. */
const ON_DEMAND = /^test\/[a-z]+\/full\//

/**
 * The test files below `root`, in batches.
 *
 * @param patterns keep only the files whose path contains one of these; without patterns, all except those on demand
 */
export function testBatches(root: string, patterns: readonly string[]): readonly Batch[] {
  const isAsked = (file: string) =>
    patterns.length === 0 ? !ON_DEMAND.test(file) : patterns.some((pattern) => file.includes(pattern))
  const files = globSync('{src,test,scripts,bench}/**/*.test.ts', { cwd: root }).filter(isAsked).sort()
  return [
    {
      files: files.filter((file) => !HEAVY.test(file)),
      patient: [],
      concurrency: availableParallelism(),
      limit: 180,
    },
    {
      files: files.filter((file) => HEAVY.test(file) && !PATIENT.test(file)),
      patient: files.filter((file) => PATIENT.test(file)),
      // One more was measured: not sooner done, and waits of the tests ran out.
      concurrency: availableParallelism(),
      limit: 600,
    },
  ]
}
