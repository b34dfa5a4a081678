/** Records page by page, the newest first. The server says where the next page begins. */
import { type Signal, signal } from '@preact/signals'
import type { ComponentChildren, JSX } from 'preact'
import { useMemo } from 'preact/hooks'

/** Where the pages begin that were turned to; the last one is shown. Empty: the newest page is shown. */
export type Turned = Signal<readonly number[]>

/** @param list what the pages are of, where that may change. Another list begins with its newest page. */
export function usePages(list = ''): Turned {
  return useMemo(() => signal<readonly number[]>([]), [list])
}

export function Pages(props: {
  readonly turned: Turned
  /** Where the page after this one begins. Null: there is none. */
  readonly next: number | null
  readonly children?: ComponentChildren
}): JSX.Element {
  const { turned, next } = props
  const turn = (to: readonly number[]): void => {
    turned.value = to
    scrollTo(0, 0)
  }
  const isNewest = turned.value.length === 0
  return (
    <nav class="row apart" aria-label="Pages">
      <button
        class="button"
        type="button"
        aria-disabled={isNewest}
        onClick={() => {
          if (!isNewest) turn(turned.value.slice(0, -1))
        }}
      >
        Newer
      </button>
      {props.children}
      <button
        class="button"
        type="button"
        aria-disabled={next === null}
        onClick={() => {
          if (next !== null) turn([...turned.value, next])
        }}
      >
        Older
      </button>
    </nav>
  )
}
