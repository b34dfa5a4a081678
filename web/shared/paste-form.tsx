/** A field for the text of a profile, and the button that reads it. */
import type { JSX } from 'preact'
import { Field } from './field.tsx'

export function PasteForm(props: {
  readonly text: string
  readonly hint: string
  readonly onInput: (text: string) => void
  readonly onText: (text: string) => void
}): JSX.Element {
  return (
    <form
      class="card stack"
      onSubmit={(event) => {
        event.preventDefault()
        props.onText(props.text)
      }}
    >
      <Field
        id="profile-text"
        label="The profile"
        hint={props.hint}
        rows={5}
        mono
        value={props.text}
        onInput={props.onInput}
      />
      <button class="button first" type="submit">
        Read it
      </button>
    </form>
  )
}
