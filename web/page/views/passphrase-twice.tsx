/** A new passphrase, typed twice. */
import { type Signal, useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Field } from '../../shared/field.tsx'
import { SHORTEST_PASSPHRASE } from '../vault/vault.ts'

interface Wrong {
  readonly passphrase?: string
  readonly again?: string
}

export interface TypedTwice {
  readonly passphrase: Signal<string>
  readonly again: Signal<string>
  readonly wrong: Signal<Wrong>
}

export function useTypedTwice(): TypedTwice {
  return { passphrase: useSignal(''), again: useSignal(''), wrong: useSignal<Wrong>({}) }
}

/** Whether it can be used. What is wrong with it is shown. */
export function isUsable({ passphrase, again, wrong }: TypedTwice): boolean {
  wrong.value = wrongPassphrase(passphrase.value, again.value)
  return Object.keys(wrong.value).length === 0
}

export function forgetTyped({ passphrase, again }: TypedTwice): void {
  passphrase.value = ''
  again.value = ''
}

export function PassphraseTwice(props: {
  /** Of the first field; that of the second ends in `-again`. */
  readonly id: string
  readonly labels: readonly [first: string, again: string]
  readonly hint?: string
  readonly typed: TypedTwice
}): JSX.Element {
  const { id, labels, hint, typed } = props
  const common = { type: 'password', autocomplete: 'new-password' } as const
  return (
    <>
      <Field
        {...common}
        id={id}
        label={labels[0]}
        {...(hint !== undefined && { hint })}
        value={typed.passphrase.value}
        onInput={(value) => (typed.passphrase.value = value)}
        wrong={typed.wrong.value.passphrase}
      />
      <Field
        {...common}
        id={`${id}-again`}
        label={labels[1]}
        value={typed.again.value}
        onInput={(value) => (typed.again.value = value)}
        wrong={typed.wrong.value.again}
      />
    </>
  )
}

function wrongPassphrase(passphrase: string, again: string): Wrong {
  return {
    ...(passphrase.length < SHORTEST_PASSPHRASE && {
      passphrase: `The passphrase has ${passphrase.length} characters, and needs ${SHORTEST_PASSPHRASE}.`,
    }),
    ...(passphrase !== again && { again: 'This is not the same passphrase.' }),
  }
}
