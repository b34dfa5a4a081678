/** What is open now: for whom, from where, and for how long. Ends and extends it. */
import { type Signal, useComputed, useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useRef } from 'preact/hooks'
import { Choice } from '../../shared/field.tsx'
import { type Answer, type Grant, post } from '../api.ts'
import { left, live } from '../live/live.ts'
import { Ask } from '../parts/ask.tsx'
import { chosenInto } from '../parts/bound.ts'
import { FilterField, Pause } from '../parts/list-tools.tsx'
import type { Sorting } from '../parts/rows.ts'
import { type Column, isSomebodyIn, Table } from '../parts/table.tsx'
import { Tools } from '../parts/tools.tsx'
import { mayAct } from '../session.ts'
import { span } from '../texts/events.ts'
import { ownerOf, shownGrants, timeLeft } from '../texts/grants.ts'

type Asked = { readonly about: 'end' | 'extend'; readonly grant: Grant }

export function Grants(): JSX.Element {
  const filter = useSignal('')
  const sorting = useSignal<Sorting>({ by: 'left', isDown: false })
  const held = useSignal(false)
  const paused = useSignal(false)
  const asked = useSignal<Asked | undefined>(undefined)
  const stays = paused.value || ((held.value || asked.value !== undefined) && 'if any')
  const current = useComputed(() => shownGrants(live.value.grants.values(), filter.value, sorting.value))
  const rows = useStill(current.value, stays, `${filter.value}\n${sorting.value.by}${sorting.value.isDown}`)
  const fresh = stays === false ? 0 : newAmong(current.value, rows)
  const columns: readonly Column<Grant>[] = [
    { name: 'Owner', sort: 'owner', class: 'c-main', cell: (grant) => <Owner grant={grant} /> },
    {
      name: 'Address',
      sort: 'source',
      class: 'c-address',
      cell: ({ source }) => <bdi class="address cut">{source}</bdi>,
    },
    { name: 'Opens', sort: 'opens', class: 'c-opens', cell: (grant) => <Opens grant={grant} /> },
    { name: 'Left', sort: 'left', class: 'c-left', cell: (grant) => <Left grant={grant} /> },
    ...(mayAct.value
      ? [
          {
            name: 'Actions',
            isSilent: true,
            class: 'c-do',
            cell: (grant: Grant) => <Buttons grant={grant} asked={asked} />,
          },
        ]
      : []),
  ]
  return (
    <>
      <Tools title="Live grants" count={`${live.value.grants.size} open`}>
        <FilterField filter={filter} placeholder="Owner, address, port" />
        <Pause paused={paused} fresh={fresh} />
      </Tools>
      <Table
        label="Live grants"
        kind={mayAct.value ? 'grants acts' : 'grants'}
        columns={columns}
        rows={rows}
        rowKey={({ id }) => id}
        rowClass={({ id }) => (live.value.grants.has(id) ? '' : 'gone')}
        sorting={sorting}
        held={held}
        empty={
          !live.value.isKnown
            ? 'Waiting for the server…'
            : live.value.grants.size === 0
              ? 'Nothing is open. A knock shows up here at once.'
              : 'No grant matches the filter.'
        }
      />
      {asked.value !== undefined && (
        <EndOrExtend
          asked={asked.value}
          onClose={() => {
            // The focus comes back to the button of the row: the row must be there still.
            held.value = true
            asked.value = undefined
            setTimeout(() => {
              held.value = isSomebodyIn()
            })
          }}
        />
      )}
    </>
  )
}

/** Rows stay as they are while somebody reads or aims, unless they ask for others. */
function useStill(rows: readonly Grant[], stays: boolean | 'if any', asksFor: string): readonly Grant[] {
  const kept = useRef({ rows, asksFor })
  const stay = stays === 'if any' ? kept.current.rows.length > 0 : stays
  if (!stay || kept.current.asksFor !== asksFor) kept.current = { rows, asksFor }
  return kept.current.rows
}

function newAmong(current: readonly Grant[], rows: readonly Grant[]): number {
  const known = new Set(rows.map(({ id }) => id))
  return current.reduce((count, { id }) => (known.has(id) ? count : count + 1), 0)
}

function Owner({ grant }: { readonly grant: Grant }): JSX.Element {
  return (
    <>
      <bdi class="cut strong">{ownerOf(grant)}</bdi>
      {grant.user !== undefined && grant.user !== '' && (
        <span class="cut soft small">
          claims to be <bdi>{grant.user}</bdi>
        </span>
      )}
    </>
  )
}

function Opens({ grant: { opens, kind } }: { readonly grant: Grant }): JSX.Element {
  return (
    <span class="cut">
      <span class="mono">{opens.join(' ')}</span>
      {kind !== undefined && kind !== 'local' && <span class="soft small"> {kind}</span>}
    </span>
  )
}

function Left({ grant }: { readonly grant: Grant }): JSX.Element {
  // The newest end counts: it may have been extended since the row was drawn.
  const current = live.value.grants.get(grant.id)
  if (current === undefined) return <span class="soft">ended</span>
  const { until } = current
  if (until === null) return <span class="soft">no end</span>
  const milliseconds = left(until)
  return <span class={`time ${milliseconds < 15_000 ? 'soon' : ''}`}>{timeLeft(milliseconds)}</span>
}

function Buttons({ grant, asked }: { readonly grant: Grant; readonly asked: Signal<Asked | undefined> }): JSX.Element {
  const about = `${ownerOf(grant)}, ${grant.source}`
  const isGone = !live.value.grants.has(grant.id)
  return (
    <span class="row tight">
      {grant.extendable && (
        <button
          class="button small"
          type="button"
          aria-disabled={isGone}
          onClick={() => {
            if (!isGone) asked.value = { about: 'extend', grant }
          }}
        >
          Extend<span class="hidden"> {about}</span>
        </button>
      )}
      <button
        class="button small danger"
        type="button"
        aria-disabled={isGone}
        onClick={() => {
          if (!isGone) asked.value = { about: 'end', grant }
        }}
      >
        End<span class="hidden"> {about}</span>
      </button>
    </span>
  )
}

function EndOrExtend({ asked, onClose }: { readonly asked: Asked; readonly onClose: () => void }): JSX.Element {
  return asked.about === 'end' ? (
    <End grant={asked.grant} onClose={onClose} />
  ) : (
    <Extend grant={asked.grant} onClose={onClose} />
  )
}

interface AboutGrant {
  readonly grant: Grant
  readonly onClose: () => void
}

function End({ grant, onClose }: AboutGrant): JSX.Element {
  const what = useSignal('this')
  const choices = [
    ['this', 'this grant alone'],
    ...(grant.name === undefined ? [] : [['name', `all that ${grant.name} has open`] as const]),
    ['source', `all that is open for ${grant.source}`],
  ] as const
  const end = (): Promise<Answer<unknown>> =>
    what.value === 'this'
      ? post('/v1/grants/revoke', { grant: grant.id })
      : post('/v1/revoke', { word: what.value === 'name' ? grant.name : grant.source })
  return (
    <Ask
      title={`End the grant of ${ownerOf(grant)}?`}
      action="End it"
      isDanger
      act={end}
      onDone={onClose}
      onClose={onClose}
    >
      <p>
        <span class="mono">{grant.opens.join(' ')}</span> for <bdi class="address">{grant.source}</bdi> is shut at once.
        Connections through it end too.
      </p>
      <Choice id="end-what" label="End" {...chosenInto(what)} choices={choices} />
    </Ask>
  )
}

const SPANS = [60, 300, 900, 3600, 14_400]

function Extend({ grant, onClose }: AboutGrant): JSX.Element {
  const seconds = useSignal('300')
  return (
    <Ask
      title={`Extend the grant of ${ownerOf(grant)}`}
      action="Extend it"
      act={() => post('/v1/grants/extend', { grant: grant.id, seconds: Number(seconds.value) })}
      onDone={onClose}
      onClose={onClose}
    >
      <Choice
        id="extend-by"
        label="From now on it lasts"
        hint="The policy of the stanza limits this (MAX_FW_TIMEOUT)."
        {...chosenInto(seconds)}
        choices={SPANS.map((it) => [String(it), it < 120 ? '1 min' : span(it)])}
      />
    </Ask>
  )
}
