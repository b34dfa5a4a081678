/** Six digits of the app that makes codes for the account. */
import type { Signal } from '@preact/signals'
import type { JSX } from 'preact'
import { Field } from '../../shared/field.tsx'
import { typedInto } from './bound.ts'

export function CodeField(props: {
  readonly id: string
  readonly label?: string
  readonly code: Signal<string>
}): JSX.Element {
  const { id, label = 'Six digits from your app', code } = props
  return <Field id={id} label={label} {...typedInto(code)} autocomplete="one-time-code" mono required />
}
