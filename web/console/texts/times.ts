/** Times as this device writes them. */

export function clock(iso: string): string {
  const date = new Date(iso)
  return Number.isNaN(date.getTime())
    ? '?'
    : date.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false })
}

/** @param now the year is left out where it is this one. */
export function moment(iso: string, now = Date.now()): string {
  const date = new Date(iso)
  const year = date.getFullYear() === new Date(now).getFullYear() ? {} : ({ year: 'numeric' } as const)
  return Number.isNaN(date.getTime())
    ? '?'
    : date.toLocaleString(undefined, {
        ...{ day: 'numeric', month: 'short', ...year },
        ...{ hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false },
      })
}

/** `12 s ago`, `3 min ago`, `2 h ago`, `5 days ago`. */
export function ago(iso: string, now: number): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(iso)) / 1000))
  if (!Number.isFinite(seconds)) return '?'
  if (seconds < 90) return `${seconds} s ago`
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h ago`
  return `${Math.round(seconds / 86_400)} days ago`
}
