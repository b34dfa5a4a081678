/**
 * Counts what node:test reports, so that the closing line is true: each leaf test once; a file that crashed, ran out of
 * time or ran no test as a failure; a suite only where it failed by itself (a hook), not by one of its tests, or where it was
 * left out whole: its tests are then not even reported, and would go missing from the count.
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

  /**
   * Adds the tests of one file, in the order in which they were reported. Gives how many they were.
   *
   * @param crash how the process of the file ended, where none of its tests says so
   */
  addFile(file: string, events: readonly TestEvent[], crash?: string): number {
    const before = this.#total()
    /** The nesting levels at which something was reported whose parent was not yet. */
    const pending = new Set<number>()
    for (const event of events) {
      const isParent = pending.delete(event.nesting + 1)
      pending.add(event.nesting)
      if (event.passed) {
        if (isParent) continue
        if (event.skip !== undefined) this.skips.push({ file, name: event.name, reason: event.skip })
        else if (!event.isSuite) this.passed++
      } else if (!(isParent && event.error?.kind === 'subtestsFailed')) {
        this.fail(file, event.name, event.error?.text ?? '')
      }
    }
    const count = this.#total() - before
    if (crash !== undefined) this.fail(file, file, crash)
    else if (count === 0) this.fail(file, file, 'the file ran no test')
    return count
  }

  /** A failure that no test reported: a file that crashed, the linter. */
  fail(file: string, name: string, reason: string): void {
    this.failures.push({ file, name, reason })
  }

  /** For a run that has no excuse: what was left out failed. It stays listed among what was left out. */
  failSkips(reason: string): void {
    for (const { file, name } of this.skips) this.fail(file, name, reason)
  }

  closingLine(): string {
    const skipped = this.skips.length > 0 ? `, ${this.skips.length} skipped` : ''
    return `${this.passed} passed, ${this.failures.length} failed${skipped}`
  }

  #total(): number {
    return this.passed + this.failures.length + this.skips.length
  }
}
