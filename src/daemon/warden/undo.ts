/** The way back of a start: what was opened is closed again, the last first, where a later step is refused. */
import type { Refused } from '../../result.ts'

export class Undo {
  readonly #steps: (() => unknown)[] = []

  /** Something is open now. @param step closes it again. What it returns is waited for. */
  add(step: () => unknown): void {
    this.#steps.push(step)
  }

  /** Closes all, one after the other. @returns `refused`, so that a refusing step can be returned at once. */
  async after<T extends Refused>(refused: T): Promise<T> {
    for (const step of this.#steps.splice(0).reverse()) await step()
    return refused
  }
}
