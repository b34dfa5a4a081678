/** One question that the benchmarks answer. */
import type { Row } from '../row.ts'

export interface Measure {
  /** As it is named on the command line. */
  readonly name: string
  /** What it measures and how, in a sentence. */
  readonly about: string
  run(): Promise<readonly Row[]>
}
