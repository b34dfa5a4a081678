/** The verdicts as they come: can be paused and filtered, and each can be explained. */
import { useComputed, useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useRef } from 'preact/hooks'
import { Choice } from '../../shared/field.tsx'
import { live, saysSummaries } from '../live/live.ts'
import type { SeenEvent } from '../live/state.ts'
import { chosenInto } from '../parts/bound.ts'
import { EventTable } from '../parts/event-table.tsx'
import { FilterField, Pause } from '../parts/list-tools.tsx'
import { Tools } from '../parts/tools.tsx'
import { isFound, wordsOf } from '../texts/search-text.ts'

const KINDS = [
  ['all', 'Everything'],
  ['granted', 'Granted'],
  ['refused', 'Refused'],
  ['other', 'All but knocks'],
] as const

export function Stream(): JSX.Element {
  const filter = useSignal('')
  const kind = useSignal('all')
  const held = useSignal(false)
  const paused = useSignal(false)
  const still = useRef(live.value)
  // An empty list has no row that somebody reads or aims at.
  const stays = paused.value || (held.value && still.current.events.length > 0)
  if (!stays) still.current = live.value
  const missed = live.value.seen - still.current.seen
  const words = useComputed(() => wordsOf(filter.value))
  const rows = shownEvents(still.current.events, kind.value, words.value)
  return (
    <>
      <Tools title="Stream of verdicts" count={`${rows.length} shown`}>
        <FilterField filter={filter} placeholder="User, address, code, words" />
        <Choice id="kind" label="Show" {...chosenInto(kind)} choices={KINDS} />
        <Pause paused={paused} fresh={missed} />
        <label class="check says">
          <input
            type="checkbox"
            checked={saysSummaries.value}
            onChange={(event) => {
              saysSummaries.value = event.currentTarget.checked
            }}
          />
          Read out a summary every ten seconds
        </label>
      </Tools>
      {live.value.lost > 0 && (
        <p class="soft small">{live.value.lost} events were lost on the way. The log of the server has them.</p>
      )}
      <EventTable
        label="Verdicts, newest first"
        events={rows}
        held={held}
        empty={
          live.value.isKnown && live.value.events.length > 0
            ? 'No event matches the filter.'
            : 'Nothing yet. Knocks and refusals show up here at once.'
        }
      />
    </>
  )
}

function shownEvents(events: readonly SeenEvent[], kind: string, words: readonly string[]) {
  return events
    .filter(({ event, text }) => (kind === 'all' || (event.verdict ?? 'other') === kind) && isFound(words, text))
    .map(({ event }) => event)
}
