/** Locks the page when nobody has touched it for a while; also where the device slept meanwhile. */

const LOOK_MILLISECONDS = 5_000

/** @param minutes asked each time, since it may change. @returns a function that ends it. */
export function whenIdle(minutes: () => number, lock: () => void): () => void {
  let touched = Date.now()
  const touch = () => {
    touched = Date.now()
  }
  const look = () => {
    if (Date.now() - touched >= 60_000 * minutes()) lock()
  }
  // Timers of hidden pages are slow: looks again before anything is shown.
  const shown = () => {
    if (document.visibilityState === 'visible') look()
  }
  const timer = setInterval(look, LOOK_MILLISECONDS)
  const signs = ['pointerdown', 'keydown', 'input', 'wheel'] as const
  for (const sign of signs) addEventListener(sign, touch, { passive: true, capture: true })
  document.addEventListener('visibilitychange', shown)
  return () => {
    clearInterval(timer)
    for (const sign of signs) removeEventListener(sign, touch, { capture: true })
    document.removeEventListener('visibilitychange', shown)
  }
}
