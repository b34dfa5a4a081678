/** The host that clients knock at. This browser keeps what was typed last: it is nothing secret. */
import { type Signal, useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Field } from '../../shared/field.tsx'
import { typedInto } from './bound.ts'

const KEPT = 'ghostport-console-server'

export function useServer(): Signal<string> {
  return useSignal(localStorage.getItem(KEPT) ?? '')
}

/** @returns what was typed, which is kept from now on. */
export function keptServer(server: Signal<string>): string {
  const typed = server.value.trim()
  localStorage.setItem(KEPT, typed)
  return typed
}

export function ServerField({ id, server }: { readonly id: string; readonly server: Signal<string> }): JSX.Element {
  return (
    <Field
      id={id}
      label="Server"
      hint="Name or address of the server, as the device reaches it"
      {...typedInto(server)}
      required
    />
  )
}
