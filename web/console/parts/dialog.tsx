/** A dialog of the browser’s own: it holds the focus, Escape closes it, and the rest of the page is inert. */
import type { ComponentChildren, JSX } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'

export function Dialog(props: {
  readonly title: string
  readonly onClose: () => void
  readonly children: ComponentChildren
  readonly wide?: boolean
}): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null)
  const isOver = useRef(false)
  // A layout effect: it is undone before the dialog leaves the page.
  useLayoutEffect(() => {
    const before = document.activeElement
    const shown = dialog.current
    shown?.showModal()
    return () => {
      isOver.current = true
      // While it is open, nothing behind it takes the focus.
      shown?.close()
      if (before instanceof HTMLElement && before.isConnected) before.focus()
    }
  }, [])
  return (
    <dialog
      ref={dialog}
      class={props.wide === true ? 'dialog wide' : 'dialog'}
      aria-labelledby="dialog-title"
      onCancel={(event) => {
        event.preventDefault()
        props.onClose()
      }}
      onClose={() => {
        // By the browser itself, which does not always ask.
        if (!isOver.current) props.onClose()
      }}
    >
      <div class="stack">
        <h2 id="dialog-title" tabIndex={-1}>
          {props.title}
        </h2>
        {props.children}
      </div>
    </dialog>
  )
}
