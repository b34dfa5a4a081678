/** Light, dark, or as the system is. Kept in the browser; nothing secret. */
import { signal } from '@preact/signals'

export const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]
const KEY = 'ghostport-theme'

export const theme = signal<Theme>(kept())
show(theme.value)

export function setTheme(next: Theme): void {
  theme.value = next
  show(next)
  try {
    localStorage.setItem(KEY, next)
  } catch {
    // Then it is for this time only.
  }
}

function kept(): Theme {
  try {
    return THEMES.find((it) => it === localStorage.getItem(KEY)) ?? 'system'
  } catch {
    return 'system'
  }
}

function show(next: Theme): void {
  if (next === 'system') delete document.documentElement.dataset['theme']
  else document.documentElement.dataset['theme'] = next
}
