/** A name and what it is, in a list of facts: of an event, of a stanza. What it is may come from a stranger. */
import type { JSX } from 'preact'
import { fieldText } from '../texts/events.ts'

export function Fact({ name, value }: { readonly name: string; readonly value: unknown }): JSX.Element {
  return (
    <>
      <dt>{name}</dt>
      <dd>
        <bdi>{fieldText(value)}</bdi>
      </dd>
    </>
  )
}
