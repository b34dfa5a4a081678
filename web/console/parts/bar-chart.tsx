/** Bars of several parts, as SVG. Beside it stands a table that says the same. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'
import { type Chart, roundUp } from '../texts/refusal-chart.ts'

/** In pixels, as the style has it. The width is that of the page: so the words keep their size. */
const HEIGHT = 200
const LEFT = 40
const BOTTOM = 24

export function BarChart({
  chart,
  label,
  timeText,
}: {
  readonly chart: Chart
  readonly label: string
  readonly timeText: (milliseconds: number) => string
}): JSX.Element {
  const top = roundUp(Math.max(1, chart.most))
  const svg = useRef<SVGSVGElement>(null)
  const measured = useSignal(640)
  useLayoutEffect(() => {
    if (svg.current === null) return
    const observer = new ResizeObserver(([entry]) => {
      if (entry !== undefined && entry.contentRect.width > 0) measured.value = Math.round(entry.contentRect.width)
    })
    observer.observe(svg.current)
    return () => observer.disconnect()
  }, [])
  const width = measured.value
  const wide = (width - LEFT) / Math.max(1, chart.bars.length)
  const y = (count: number): number => (HEIGHT - BOTTOM) * (1 - count / top) + 8
  const ticks = [0, Math.floor(chart.bars.length / 2), chart.bars.length - 1]
  return (
    <svg ref={svg} class="chart" viewBox={`0 0 ${width} ${HEIGHT + 8}`} role="img" aria-label={label}>
      {[0, top / 2, top]
        .filter((count) => Number.isInteger(count))
        .map((count) => (
          <g key={count}>
            <line class="grid" x1={LEFT} x2={width} y1={y(count)} y2={y(count)} />
            <text class="tick" x={LEFT - 6} y={y(count) + 4} text-anchor="end">
              {count}
            </text>
          </g>
        ))}
      {chart.bars.map((bar, i) => {
        let under = 0
        return (
          <g key={i}>
            {bar.parts.map((count, part) => {
              const from = under
              under += count
              return count === 0 ? null : (
                <rect
                  key={part}
                  class={`part part-${part}`}
                  x={LEFT + i * wide + wide * 0.1}
                  width={wide * 0.8}
                  y={y(from + count)}
                  height={Math.max(0.5, y(from) - y(from + count))}
                />
              )
            })}
          </g>
        )
      })}
      {ticks.map((i, place) => {
        const bar = chart.bars[i]
        const anchor = place === 0 ? 'start' : place === 2 ? 'end' : 'middle'
        const x = place === 0 ? LEFT : place === 2 ? width : LEFT + (i + 0.5) * wide
        return (
          <text key={place} class="tick" x={x} y={HEIGHT + 2} text-anchor={anchor}>
            {bar === undefined ? '' : timeText(bar.at)}
          </text>
        )
      })}
    </svg>
  )
}
