/** Runs one batch of test files, a process for each, so many at a time, and prints a line for each. */
import type { Batch } from './files.ts'
import { runTestFile } from './run-file.ts'
import type { Tally } from './tally.ts'

/** What each file of tests printed; shown only where one of its tests failed. */
export type Output = Map<string, string>

export async function runBatch(batch: Batch, root: string, tally: Tally, output: Output): Promise<void> {
  const queue = [...batch.files]
  const worker = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const run = await runTestFile(file, root, batch.timeoutMilliseconds)
      output.set(file, run.output)
      const failedBefore = tally.failures.length
      const skippedBefore = tally.skips.length
      const count = tally.addFile(file, run.events, run.crash)
      const failed = tally.failures.length - failedBefore
      const took = `${(run.milliseconds / 1000).toFixed(1)} s`
      const skipped = tally.skips.length - skippedBefore
      const counted = skipped > 0 ? `${count}, ${skipped} left out` : `${count}`
      process.stdout.write(failed > 0 ? `✖ ${file}: ${failed} failed, ${took}\n` : `✔ ${file} (${counted}), ${took}\n`)
    }
  }
  await Promise.all(Array.from({ length: batch.concurrency }, worker))
}
