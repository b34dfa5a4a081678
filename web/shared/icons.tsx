/** The icons: lines on a square of 24, in the colour of the text. Decoration: the words beside them say it all. */
import type { JSX } from 'preact'

const PATHS = {
  back: 'M15 5l-7 7 7 7',
  plus: 'M12 5v14M5 12h14',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  warn: 'M12 4l9 16H3zM12 10v4M12 17v.5',
  info: 'M12 3a9 9 0 100 18 9 9 0 000-18zM12 11v5M12 8v.5',
  cross: 'M6 6l12 12M18 6L6 18',
  lock: 'M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 017 0v3',
  gear: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5v5M9 14.5v5',
  camera: 'M4 8h3l1.5-2.5h7L17 8h3v11H4zM12 10a3.5 3.5 0 100 7 3.5 3.5 0 000-7z',
  out: 'M9 5H5v14h14v-4M13 5h6v6M19 5l-9 9',
  key: 'M15 4a5 5 0 11-4.6 7L4 17.4V20h3v-2h2v-2h2l1.5-1.5M16 8v.5',
  shield: 'M12 3l8 3v6c0 4.5-3.4 7.7-8 9-4.6-1.3-8-4.5-8-9V6zM9 12l2.2 2.2L15.5 10',
} as const

export type IconName = keyof typeof PATHS

export function Icon({ name, size = 22 }: { readonly name: IconName; readonly size?: number }): JSX.Element {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path
        d={PATHS[name]}
        fill="none"
        stroke="currentColor"
        stroke-width="1.8"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  )
}

/** The ghost with the keyhole, as in the icon of the program. */
export function Ghost({ size = 32 }: { readonly size?: number }): JSX.Element {
  return (
    <svg class="ghost" width={size} height={size} viewBox="20 14 60 76" aria-hidden="true" focusable="false">
      <path
        fill="currentColor"
        fill-rule="evenodd"
        d="M25 80V43a25 25 0 0 1 50 0V80a8.33 8.33 0 0 1-16.67 0a8.33 8.33 0 0 1-16.66 0a8.33 8.33 0 0 1-16.67 0zM50 36a9 9 0 0 0-4 17L42.500 66h15L54 53a9 9 0 0 0-4-17z"
      />
    </svg>
  )
}
