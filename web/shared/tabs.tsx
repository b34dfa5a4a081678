/** Tabs as in the ARIA practices: arrows move among them, Tab leaves them. */
import type { ComponentChildren, JSX } from 'preact'

export interface TabsProps<Name extends string> {
  readonly label: string
  readonly tabs: readonly (readonly [name: Name, text: string])[]
  readonly shown: Name
  readonly onShow: (name: Name) => void
  /** The panel of the one that is shown. */
  readonly children: ComponentChildren
}

export function Tabs<Name extends string>({ label, tabs, shown, onShow, children }: TabsProps<Name>): JSX.Element {
  const move = (event: KeyboardEvent, by: number) => {
    const at = tabs.findIndex(([name]) => name === shown)
    const next = tabs[(at + by + tabs.length) % tabs.length]
    if (next === undefined) return
    event.preventDefault()
    onShow(next[0])
    document.getElementById(`tab-${next[0]}`)?.focus()
  }
  return (
    <div class="stack">
      <div
        role="tablist"
        aria-label={label}
        class="tabs"
        onKeyDown={(event) => {
          if (event.key === 'ArrowRight') move(event, 1)
          if (event.key === 'ArrowLeft') move(event, -1)
        }}
      >
        {tabs.map(([name, text]) => (
          <button
            key={name}
            id={`tab-${name}`}
            class="tab"
            type="button"
            role="tab"
            aria-selected={name === shown}
            aria-controls="tab-panel"
            tabIndex={name === shown ? 0 : -1}
            onClick={() => onShow(name)}
          >
            {text}
          </button>
        ))}
      </div>
      <div id="tab-panel" role="tabpanel" aria-labelledby={`tab-${shown}`}>
        {children}
      </div>
    </div>
  )
}
