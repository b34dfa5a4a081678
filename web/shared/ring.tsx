/** A ring that empties as time passes. The number inside says the same to eyes, and `label` to screen readers. */
import type { ComponentChildren, JSX } from 'preact'

export interface RingProps {
  /** 1 is full. */
  readonly share: number
  readonly label: string
  readonly children: ComponentChildren
}

const RADIUS = 47
const ROUND = 2 * Math.PI * RADIUS

export function Ring({ share, label, children }: RingProps): JSX.Element {
  return (
    <div class="ring" role="timer" aria-label={label}>
      <svg viewBox="0 0 100 100" aria-hidden="true" focusable="false">
        <circle class="track" cx="50" cy="50" r={RADIUS} />
        <circle
          class="left"
          cx="50"
          cy="50"
          r={RADIUS}
          stroke-dasharray={ROUND}
          stroke-dashoffset={ROUND * (1 - Math.min(1, Math.max(0, share)))}
        />
      </svg>
      <div class="inside">{children}</div>
    </div>
  )
}
