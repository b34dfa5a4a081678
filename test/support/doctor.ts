/** What `ghostport doctor --json` says, for the tests that provoke its findings. */
import assert from 'node:assert/strict'
import type { Outcome } from './netns.ts'

/** A check and its answer. */
export interface Told {
  readonly code: string
  readonly side: string
  readonly answer: 'good' | 'bad' | 'not checked'
  readonly seen: string | null
  readonly because: string | null
  readonly findings: readonly {
    readonly severity: string
    readonly text: string
    readonly evidence: readonly string[]
    readonly command: string | null
    readonly advice: string | null
    readonly recheck: string
  }[]
}

export interface Examined {
  readonly status: number | null
  readonly checks: readonly Told[]
}

export function examined({ status, stdout, stderr }: Outcome): Examined {
  assert.ok(stdout.startsWith('{'), stderr)
  return { status, checks: JSON.parse(stdout).checks }
}

/** The only check of an answer. */
export function onlyCheck({ checks: [told] }: Examined): Told {
  assert.ok(told)
  return told
}

/** The finding with this text. */
export function findingIn(told: Told, text: RegExp): Told['findings'][number] {
  const found = told.findings.find((each) => text.test(each.text))
  assert.ok(found, JSON.stringify(told))
  return found
}
