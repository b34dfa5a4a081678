/** What happened to the firewall and to the network of the server, and was mended or was not. */
import type { JSX } from 'preact'
import type { HistoryPage } from '../api.ts'
import { EventTable } from '../parts/event-table.tsx'
import { Failure } from '../parts/failure.tsx'
import { useFetched } from '../parts/fetched.ts'
import { Tools } from '../parts/tools.tsx'
import { MENDS } from '../texts/events.ts'

export function Mends(): JSX.Element {
  const query = new URLSearchParams({ limit: '200', event: MENDS.join(',') })
  const { value, failure, again } = useFetched<HistoryPage>(`/v1/history?${query}`)
  return (
    <>
      <Tools title="Mends" count={value.value === undefined ? '' : `${value.value.events.length} events`}>
        <p class="soft grow">What other programs did to the firewall, and what came and went of the network.</p>
        <button class="button" type="button" onClick={() => void again()}>
          Look again
        </button>
      </Tools>
      <Failure failure={failure.value} />
      <EventTable
        label="Mends, newest first"
        events={value.value?.events ?? []}
        empty={value.value === undefined ? 'Looking…' : 'Nothing had to be mended.'}
        isPast
      />
    </>
  )
}
