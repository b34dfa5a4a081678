// biome-ignore-all lint/a11y/useSemanticElements: with a layout of its own, a <table> is no table to some browsers
// biome-ignore-all lint/a11y/useFocusableInteractive: no cell is edited, so none takes the focus
/**
 * A table that may have thousands of rows, of which those in sight are drawn. Screen readers hear how many there are,
 * and which one this is. Each row has the same height and a place of its own: a row that comes or goes moves the others
 * without a new layout, and the focus stays with its row.
 */
import { type Signal, useSignal } from '@preact/signals'
import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks'
import { type Sorting, windowOf } from './rows.ts'

export interface Column<Row> {
  readonly name: string
  /** Hidden from eyes: the column of buttons. */
  readonly isSilent?: boolean
  readonly class?: string
  readonly cell: (row: Row) => ComponentChildren
  /** Absent: the table cannot be sorted by it. */
  readonly sort?: string
}

export interface TableProps<Row> {
  readonly label: string
  /** Of the style: widths of the columns. */
  readonly kind: string
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[]
  readonly rowKey: (row: Row) => string | number
  readonly rowClass?: (row: Row) => string
  readonly sorting?: Signal<Sorting>
  /** What is said where there is no row. */
  readonly empty: string
  /** Told when a person is in the list, with the pointer or the keyboard: rows should stay where they are. */
  readonly held?: Signal<boolean>
}

export function Table<Row>({
  label,
  kind,
  columns,
  rows,
  rowKey,
  rowClass,
  sorting,
  empty,
  held,
}: TableProps<Row>): JSX.Element {
  const body = useRef<HTMLDivElement>(null)
  const probe = useRef<HTMLDivElement>(null)
  const from = useSignal(0)
  const to = useSignal(30)
  const height = useSignal(48)
  const count = rows.length
  const look = (): void => {
    if (body.current === null || probe.current === null) return
    height.value = probe.current.offsetHeight || 48
    const seen = windowOf(count, body.current.getBoundingClientRect().top, height.value, innerHeight)
    from.value = seen.from
    to.value = seen.to
  }
  useLayoutEffect(look, [count])
  useEffect(() => {
    let asked = 0
    const soon = (): void => {
      cancelAnimationFrame(asked)
      asked = requestAnimationFrame(look)
    }
    addEventListener('scroll', soon, { passive: true })
    addEventListener('resize', soon)
    // Something above grew or shrank.
    const around = new ResizeObserver(soon)
    around.observe(document.body)
    return () => {
      around.disconnect()
      cancelAnimationFrame(asked)
      removeEventListener('scroll', soon)
      removeEventListener('resize', soon)
    }
  }, [count])
  const hold = (next: boolean): void => {
    if (held !== undefined) held.value = next
  }
  return (
    <div
      class={`table ${kind}`}
      role="table"
      aria-label={label}
      aria-rowcount={count + 1}
      onPointerEnter={(event) => {
        if (event.pointerType === 'mouse') hold(true)
      }}
      onPointerLeave={({ currentTarget }) => hold(currentTarget.querySelector(':focus-visible') !== null)}
      onFocusIn={({ target }) => {
        // By the keyboard: a button that was clicked keeps the focus long after the person looks elsewhere.
        if (target instanceof Element && target.matches(':focus-visible')) hold(true)
      }}
      onFocusOut={({ relatedTarget, currentTarget }) => {
        if (!(relatedTarget instanceof Node && currentTarget.contains(relatedTarget)))
          hold(currentTarget.matches(':hover'))
      }}
    >
      <div class="head" role="rowgroup">
        <div class="tr" role="row" aria-rowindex={1}>
          {columns.map((column) => (
            <Head key={column.name} column={column} sorting={sorting} />
          ))}
        </div>
      </div>
      <div ref={body} class="body" role="rowgroup" style={{ blockSize: `${Math.max(1, count) * height.value}px` }}>
        <div ref={probe} class="probe" aria-hidden="true" />
        {count === 0 && (
          <div class="none" role="row">
            <div role="cell" class="soft">
              {empty}
            </div>
          </div>
        )}
        {rows.slice(from.value, to.value).map((row, i) => {
          const index = from.value + i
          return (
            <div
              key={rowKey(row)}
              class={`tr ${rowClass?.(row) ?? ''}`}
              role="row"
              aria-rowindex={index + 2}
              style={{ transform: `translateY(${index * height.value}px)` }}
            >
              {columns.map((column) => (
                <div key={column.name} role="cell" class={`td ${column.class ?? ''}`}>
                  {column.cell(row)}
                </div>
              ))}
            </div>
          )
        })}
      </div>
    </div>
  )
}

/** Whether the pointer or the keyboard is in a table. */
export function isSomebodyIn(): boolean {
  return document.querySelector('.table:hover, .table :focus-visible') !== null
}

function Head<Row>({
  column,
  sorting,
}: {
  readonly column: Column<Row>
  readonly sorting: Signal<Sorting> | undefined
}): JSX.Element {
  const { name, sort, isSilent } = column
  const at = sorting?.value
  const isSorted = sort !== undefined && at?.by === sort
  const order = isSorted ? (at.isDown ? 'descending' : 'ascending') : undefined
  return (
    <div role="columnheader" class={`td ${column.class ?? ''}`} aria-sort={order}>
      {sort === undefined || sorting === undefined ? (
        <span class={isSilent === true ? 'hidden' : ''}>{name}</span>
      ) : (
        <button
          type="button"
          class="sort"
          onClick={() => {
            sorting.value = { by: sort, isDown: isSorted ? !at.isDown : false }
          }}
        >
          {name}
          <span class="arrow" aria-hidden="true">
            {isSorted ? (at.isDown ? '↓' : '↑') : ''}
          </span>
        </button>
      )}
    </div>
  )
}
