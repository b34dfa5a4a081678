/**
 * When a receiver slows down: a socket that wakes it again and again and gives nothing has an error that stays, and
 * would keep a processor busy. A packet that is thrown away is something given: a flood of such packets must slow
 * nothing down.
 */

/** Wake-ups in a row. */
const VAIN_BEFORE_PAUSE = 16

export class VainWakes {
  #inARow = 0

  /** Whether the next wait has to leave the sockets out. */
  get isPauseDue(): boolean {
    return this.#inARow >= VAIN_BEFORE_PAUSE
  }

  /**
   * @param isSocketReady whether a socket woke the receiver, and not a message, a signal or the time.
   * @param taken packets that the kernel gave, with those that were thrown away.
   */
  woke(isSocketReady: boolean, taken: number): void {
    this.#inARow = isSocketReady && taken === 0 ? this.#inARow + 1 : 0
  }
}
