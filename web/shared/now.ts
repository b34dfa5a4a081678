/** The time, for what counts down: once a second, and only while it is looked at. */
import { signal } from '@preact/signals'

export const now = signal(Date.now(), {
  watched() {
    tick()
    timer = setInterval(tick, 1000)
  },
  unwatched() {
    clearInterval(timer)
  },
})
let timer: ReturnType<typeof setInterval> | undefined

function tick(): void {
  now.value = Date.now()
}

/** `4:31`, `1:02:03`; never negative. */
export function countdown(milliseconds: number): string {
  const all = Math.max(0, Math.ceil(milliseconds / 1000))
  const [hours, minutes, seconds] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60]
  const two = (value: number) => String(value).padStart(2, '0')
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`
}

/** `14:05:30`, as this device writes times. */
export function clockTime(milliseconds: number): string {
  return new Date(milliseconds).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' })
}

/** `26 Nov 2026`, as this device writes dates. */
export function day(unixSeconds: number): string {
  return new Date(1000 * unixSeconds).toLocaleDateString(undefined, { day: 'numeric', month: 'short', year: 'numeric' })
}
