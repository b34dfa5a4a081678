/** How far the clock of this device is off. A packet of the wrong time is refused without a word. Pure. */
import type { Echo } from './gateway.ts'

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
export function skewOf(echoes: readonly Pick<Echo, 'ahead'>[]): Skew | undefined {
  const offs = echoes.flatMap(({ ahead }) => (ahead === undefined ? [] : [ahead])).sort((a, b) => a - b)
  const middle = offs[Math.floor((offs.length - 1) / 2)]
  if (middle === undefined) return undefined
  const seconds = Math.round(middle)
  const far = Math.abs(seconds)
  return { seconds, kind: far >= MOST_SECONDS - 5 ? 'too far' : far >= WORTH_A_WORD_SECONDS ? 'off' : 'right' }
}
