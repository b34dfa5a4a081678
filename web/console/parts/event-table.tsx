/** Events as rows: in the stream, in the history, and among the mends. */
import { type Signal, useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Icon } from '../../shared/icons.tsx'
import type { LogEvent } from '../api.ts'
import { toldOf } from '../texts/events.ts'
import { clock, moment } from '../texts/times.ts'
import { Explain } from './explain.tsx'
import { type Column, Table } from './table.tsx'

const ICONS = { good: 'check', bad: 'cross', warn: 'warn', plain: 'info' } as const

export function EventTable(props: {
  readonly label: string
  readonly events: readonly LogEvent[]
  readonly empty: string
  /** With the day. */
  readonly isPast?: boolean
  readonly held?: Signal<boolean>
}): JSX.Element {
  const shown = useSignal<LogEvent | undefined>(undefined)
  const columns: readonly Column<LogEvent>[] = [
    {
      name: 'Time',
      class: 'c-time',
      cell: ({ at }) => (
        <time class="soft time" dateTime={at}>
          {props.isPast === true ? moment(at) : clock(at)}
        </time>
      ),
    },
    {
      name: 'What',
      class: 'c-what',
      cell: (event) => {
        const { word, tone } = toldOf(event)
        return (
          <span class={`tone ${tone}`}>
            <Icon name={ICONS[tone]} size={18} />
            <span class="cut">{word}</span>
          </span>
        )
      },
    },
    {
      name: 'Who',
      class: 'c-who',
      cell: ({ name, user, source, verdict }) => (
        <>
          <span class="cut">
            {name !== undefined && <bdi class="strong">{name}</bdi>}
            {name === undefined && verdict !== undefined && <span class="soft">nobody known</span>}
            {user !== undefined && user !== '' && (
              <span class="soft small">
                {' '}
                claims to be <bdi>{user}</bdi>
              </span>
            )}
          </span>
          {source !== undefined && <bdi class="cut small address">{source}</bdi>}
        </>
      ),
    },
    {
      name: 'Why',
      class: 'c-why',
      cell: (event) => <bdi class="two-lines">{toldOf(event).sentence}</bdi>,
    },
    {
      name: 'Explain',
      isSilent: true,
      class: 'c-do',
      cell: (event) => (
        <button
          class="button small"
          type="button"
          onClick={() => {
            shown.value = event
          }}
        >
          Explain
          <span class="hidden">
            {' '}
            {toldOf(event).word}, {event.name ?? event.source ?? ''}, {clock(event.at)}
          </span>
        </button>
      ),
    },
  ]
  return (
    <>
      <Table
        label={props.label}
        kind={props.isPast === true ? 'events past' : 'events'}
        columns={columns}
        rows={props.events}
        rowKey={({ id }) => id}
        empty={props.empty}
        {...(props.held !== undefined && { held: props.held })}
      />
      {shown.value !== undefined && (
        <Explain
          event={shown.value}
          onClose={() => {
            shown.value = undefined
          }}
        />
      )}
    </>
  )
}
