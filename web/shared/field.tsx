/** A label, a control, a hint, and what is wrong with its value, tied together for screen readers. */
import type { JSX, TargetedEvent } from 'preact'

export interface FieldProps {
  readonly id: string
  readonly label: string
  readonly value: string
  readonly onInput: (value: string) => void
  readonly type?: 'text' | 'password' | 'url' | 'datetime-local'
  readonly hint?: string
  readonly wrong?: string | undefined
  /** Rows of a field of several lines. */
  readonly rows?: number
  readonly mono?: boolean
  readonly autocomplete?: string
  readonly required?: boolean
  readonly placeholder?: string
}

export function Field(props: FieldProps): JSX.Element {
  const {
    id,
    label,
    value,
    onInput,
    type = 'text',
    hint,
    wrong,
    rows,
    mono,
    autocomplete,
    required,
    placeholder,
  } = props
  const described = [hint !== undefined && `${id}-hint`, wrong !== undefined && `${id}-wrong`].filter(Boolean).join(' ')
  const shared = {
    id,
    name: id,
    value,
    class: `input${mono === true ? ' mono' : ''}`,
    'aria-invalid': wrong === undefined ? undefined : ('true' as const),
    'aria-describedby': described === '' ? undefined : described,
    autocomplete: autocomplete ?? 'off',
    autocapitalize: 'none' as const,
    spellcheck: false,
    required: required === true,
    placeholder,
    onInput: (event: TargetedEvent<HTMLInputElement | HTMLTextAreaElement>) => onInput(event.currentTarget.value),
  }
  // The types of Preact have a kind of input for each type, and none for several.
  const typed = { type } as { type: 'text' }
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {rows === undefined ? <input {...shared} {...typed} /> : <textarea {...shared} rows={rows} />}
      {hint !== undefined && (
        <span class="hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
      {wrong !== undefined && (
        <span class="wrong" id={`${id}-wrong`}>
          {wrong}
        </span>
      )}
    </div>
  )
}

export interface ChoiceProps {
  readonly id: string
  readonly label: string
  readonly value: string
  readonly choices: readonly (readonly [value: string, text: string])[]
  readonly onChange: (value: string) => void
  readonly hint?: string
}

export function Choice({ id, label, value, choices, onChange, hint }: ChoiceProps): JSX.Element {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select
        id={id}
        class="input"
        value={value}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        onChange={(event) => onChange(event.currentTarget.value)}
      >
        {choices.map(([key, text]) => (
          <option key={key} value={key}>
            {text}
          </option>
        ))}
      </select>
      {hint !== undefined && (
        <span class="hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
    </div>
  )
}
