/** How far the clock of this device is off. A packet of the wrong time is refused without a word. Pure. */
/** Through a gateway, ghostport refuses a packet that is 30 s old, or as much ahead; fwknopd one of 120 s. */
const MOST_SECONDS = 30
/** From here on it is said. */
const WORTH_A_WORD_SECONDS = 10

export interface Skew {
  /** Seconds that this device is ahead; behind, if negative. */
  readonly seconds: number
  readonly kind: 'right' | 'off' | 'too far'
}

/** By the median of the clocks that were told: one wrong gateway must not send people to set their clock. */
export function skewOf(ahead: readonly (number | undefined)[]): Skew | undefined {
  const offs = ahead.filter((it) => it !== undefined).sort((a, b) => a - b)
  const middle = offs[Math.floor((offs.length - 1) / 2)]
  if (middle === undefined) return undefined
  const seconds = Math.round(middle)
  const far = Math.abs(seconds)
  return { seconds, kind: far >= MOST_SECONDS - 5 ? 'too far' : far >= WORTH_A_WORD_SECONDS ? 'off' : 'right' }
}
