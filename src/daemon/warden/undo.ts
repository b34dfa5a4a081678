/** Undoes a start: if a later step is refused, what was opened is closed again, the last first. */
import type { Refused } from '../../result.ts'

export class Undo {
  readonly #steps: (() => unknown)[] = []

  /** Something is open now. @param step closes it again. Its result is awaited. */
  add(step: () => unknown): void {
    this.#steps.push(step)
  }

  /** Closes all, one after the other. @returns `refused`, so that a refusing step can return it at once. */
  async after<T extends Refused>(refused: T): Promise<T> {
    for (const step of this.#steps.splice(0).reverse()) await step()
    return refused
  }
}
