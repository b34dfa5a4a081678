/** Ties a field to a signal: the field shows its value, and puts into it what a person types or chooses. */
import type { Signal } from '@preact/signals'

export function typedInto(text: Signal<string>): { readonly value: string; readonly onInput: (value: string) => void } {
  return {
    value: text.value,
    onInput: (value) => {
      text.value = value
    },
  }
}

export function chosenInto(choice: Signal<string>): {
  readonly value: string
  readonly onChange: (value: string) => void
} {
  const { value, onInput } = typedInto(choice)
  return { value, onChange: onInput }
}
