/**
 * `npm run vectors -- FILE…`: judges every vector of the files, by default those of test/vectors. Prints a line for
 * each miss, and at the end how many passed, failed and were skipped. Exits with 1 on a miss, 65 or 66 for a file that
 * cannot be read.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { judge } from '../test/vectors/judge.ts'
import { parseVectors } from '../test/vectors/vector.ts'

const BAD_DATA = 65
const NO_INPUT = 66

const say = (line: string) => process.stdout.write(`${line}\n`)
const complain = (line: string) => process.stderr.write(`${line}\n`)

function filesToJudge(): readonly string[] {
  const named = process.argv.slice(2)
  if (named.length > 0) return named
  const folder = fileURLToPath(new URL('../test/vectors/', import.meta.url))
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => folder + name)
}

async function main(): Promise<number> {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const file of filesToJudge()) {
    let text: string
    try {
      text = readFileSync(file, 'utf8')
    } catch (error) {
      complain(`${file}: ${(error as Error).message}`)
      return NO_INPUT
    }
    const vectors = parseVectors(text)
    if (!vectors.ok) {
      complain(`${file}: ${vectors.failure.detail}`)
      return BAD_DATA
    }
    for (const vector of vectors.value) {
      const judgement = await judge(vector)
      counts[judgement.outcome]++
      if (judgement.outcome === 'failed') say(`FAILED ${vector.name} (${vector.category}): ${judgement.why}`)
    }
  }
  say(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
  return counts.failed === 0 ? 0 : 1
}

process.exitCode = await main()
