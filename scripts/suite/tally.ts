/**
 * Counts what node:test reports, so that the closing line is true: each leaf test once; a file that crashed, ran out of
 * time or ran no test as a failure; a suite only where it failed by itself (a hook), not by one of its tests.
 */

/** One test or suite of a file, as it ended. */
export interface TestEvent {
  readonly passed: boolean
  readonly name: string
  /** 0 at the top of the file. Children are reported before their parent. */
  readonly nesting: number
  readonly isSuite: boolean
  /** Why it was left out, where it was; may be empty. */
  readonly skip?: string
  /** `kind` is node:test's `failureType`. */
  readonly error?: { readonly kind: string; readonly text: string }
}

export interface FailedTest {
  readonly file: string
  readonly name: string
  readonly reason: string
}

export interface SkippedTest {
  readonly file: string
  readonly name: string
  readonly reason: string
}

export class Tally {
  passed = 0
  readonly failures: FailedTest[] = []
  readonly skips: SkippedTest[] = []

  /** Adds the tests of one file, in the order in which they were reported. Gives how many they were. */
  addFile(file: string, events: readonly TestEvent[]): number {
    const before = this.#total()
    /** The nesting levels at which something was reported whose parent was not yet. */
    const pending = new Set<number>()
    for (const event of events) {
      const isParent = pending.delete(event.nesting + 1)
      pending.add(event.nesting)
      if (event.passed) {
        if (isParent || event.isSuite) continue
        if (event.skip === undefined) this.passed++
        else this.skips.push({ file, name: event.name, reason: event.skip })
      } else if (!(isParent && event.error?.kind === 'subtestsFailed')) {
        this.fail(file, event.name, event.error?.text ?? '')
      }
    }
    return this.#total() - before
  }

  /** A failure that no test reported: a file that crashed, the linter. */
  fail(file: string, name: string, reason: string): void {
    this.failures.push({ file, name, reason })
  }

  closingLine(): string {
    const skipped = this.skips.length > 0 ? `, ${this.skips.length} skipped` : ''
    return `${this.passed} passed, ${this.failures.length} failed${skipped}`
  }

  #total(): number {
    return this.passed + this.failures.length + this.skips.length
  }
}
