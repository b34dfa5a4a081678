/** What came of the last change that was asked for: it is done, or something is wrong. */
import { type Signal, useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import type { Answer, Failed } from '../api.ts'
import { Failure } from './failure.tsx'

export interface Changes {
  readonly wrong: Signal<Failed | undefined>
  readonly done: Signal<string>
  /** @param words what is said where the answer is good. */
  readonly after: (answer: Answer<unknown>, words: string) => void
  readonly changed: (words: string) => void
}

/** @param again asks for what a change may have changed. */
export function useChanges(again: () => Promise<void>): Changes {
  const wrong = useSignal<Failed | undefined>(undefined)
  const done = useSignal('')
  const changed = (words: string): void => {
    wrong.value = undefined
    done.value = words
    void again()
  }
  const after = (answer: Answer<unknown>, words: string): void => {
    if (answer.ok) changed(words)
    else {
      wrong.value = answer.failure
      done.value = ''
    }
  }
  return { wrong, done, after, changed }
}

export function Outcome(props: { readonly failure: Failed | undefined; readonly done: string }): JSX.Element {
  return (
    <>
      <Failure failure={props.failure} />
      <p class="soft small" role="status">
        {props.done}
      </p>
    </>
  )
}
