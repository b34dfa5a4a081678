/** A dialog that asks before something is done. Where it cannot be done, the dialog stays and says why. */
import { useSignal } from '@preact/signals'
import type { ComponentChildren, JSX } from 'preact'
import type { Answer, Failed } from '../api.ts'
import { Dialog } from './dialog.tsx'
import { Failure } from './failure.tsx'

export interface AskProps<T> {
  readonly title: string
  /** The word on the button. */
  readonly action: string
  /** Something ends by it: the button is red, and the Enter key in a field does not press it. */
  readonly isDanger?: boolean
  readonly act: () => Promise<Answer<T>>
  readonly onDone: (value: T) => void
  readonly onClose: () => void
  readonly children: ComponentChildren
}

export function Ask<T>(props: AskProps<T>): JSX.Element {
  const { title, action, isDanger = false, onClose } = props
  const failure = useSignal<Failed | undefined>(undefined)
  const act = async (event: Event): Promise<void> => {
    event.preventDefault()
    const answer = await props.act()
    failure.value = answer.ok ? undefined : answer.failure
    if (answer.ok) props.onDone(answer.value)
  }
  const inside = (
    <>
      {props.children}
      <Failure failure={failure.value} />
      <div class="row">
        {isDanger ? (
          <button class="button danger" type="button" onClick={act}>
            {action}
          </button>
        ) : (
          <button class="button first" type="submit">
            {action}
          </button>
        )}
        <button class="button" type="button" onClick={onClose}>
          Cancel
        </button>
      </div>
    </>
  )
  return (
    <Dialog title={title} onClose={onClose}>
      {isDanger ? (
        inside
      ) : (
        <form class="stack" onSubmit={act}>
          {inside}
        </form>
      )}
    </Dialog>
  )
}
