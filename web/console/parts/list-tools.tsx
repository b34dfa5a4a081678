/** Controls above a list: what it is filtered by; and whether it stands still while more comes in. */
import type { Signal } from '@preact/signals'
import type { JSX } from 'preact'
import { Field } from '../../shared/field.tsx'
import { typedInto } from './bound.ts'

export function FilterField(props: { readonly filter: Signal<string>; readonly placeholder: string }): JSX.Element {
  return (
    <div class="grow">
      <Field id="filter" label="Filter" placeholder={props.placeholder} {...typedInto(props.filter)} />
    </div>
  )
}

/** @param fresh how many came that the list does not show yet. */
export function Pause({ paused, fresh }: { readonly paused: Signal<boolean>; readonly fresh: number }): JSX.Element {
  return (
    <>
      <button
        class="button"
        type="button"
        aria-pressed={paused.value}
        onClick={() => {
          paused.value = !paused.value
        }}
      >
        {paused.value ? 'Go on' : 'Pause'}
      </button>
      <span class="fresh soft" aria-live="off">
        {fresh > 0 ? `${fresh} new` : ''}
      </span>
    </>
  )
}
