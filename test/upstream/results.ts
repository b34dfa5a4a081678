/** What became of each case, kept as JSON between runs, and the comparison of two such files. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { type CaseName, isAboutTheBuild } from './suite.ts'

export interface Result {
  readonly verdict: 'passed' | 'failed'
  readonly seconds: number
  /** Failed first, and passed when it was run again alone. */
  readonly again?: true
}
export type Results = ReadonlyMap<CaseName, Result>

/** @throws Error where the file is not one that {@link saveResults} wrote. */
export function loadResults(path: string): Map<CaseName, Result> {
  if (!existsSync(path)) return new Map()
  return new Map(Object.entries(JSON.parse(readFileSync(path, 'utf8')) as Record<CaseName, Result>))
}

/** In one step: a run that is broken off leaves the results so far. */
export function saveResults(path: string, results: Results): void {
  const lines = [...results].map(([name, result]) => `${JSON.stringify(name)}: ${JSON.stringify(result)}`)
  writeFileSync(`${path}.new`, `{\n${lines.join(',\n')}\n}\n`)
  renameSync(`${path}.new`, path)
}

export interface Comparison {
  /** The cases that the peer passes and that were run with our programs. */
  readonly compared: number
  readonly passed: number
  /** Those of `compared` that look at the C build tree. */
  readonly aboutTheBuild: number
  readonly failed: readonly CaseName[]
  /** Passed by the peer, and not run with our programs. */
  readonly missing: number
}

export function compare(peer: Results, ours: Results): Comparison {
  const wanted = [...peer].filter(([, { verdict }]) => verdict === 'passed').map(([name]) => name)
  const compared = wanted.filter((name) => ours.has(name))
  const failed = compared.filter((name) => ours.get(name)?.verdict !== 'passed')
  return {
    compared: compared.length,
    passed: compared.length - failed.length,
    aboutTheBuild: compared.filter(isAboutTheBuild).length,
    failed,
    missing: wanted.length - compared.length,
  }
}
