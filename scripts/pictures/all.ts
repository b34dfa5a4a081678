/** The pictures of the documents, as they should be. */
import { drawBenchmark } from './benchmark.ts'
import { drawGhostService } from './ghost-service.ts'

/**
 * @param read gives a file's text by its path in the repository
 * @returns path in the repository → SVG
 */
export function drawPictures(read: (file: string) => string): ReadonlyMap<string, string> {
  return new Map([
    ['docs/images/ghost-service.svg', drawGhostService()],
    ['docs/images/benchmark.svg', drawBenchmark(read('docs/BENCHMARKS.md'))],
  ])
}
