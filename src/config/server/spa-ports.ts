/**
 * The UDP ports on which knocks arrive: SPA_PORTS, and what a PCAP_FILTER says of ports. Ranges are for clients that
 * choose a port at random for each knock (`-r`: from 10000 to 65534).
 */
import { ok, type Result } from '../../result.ts'
import type { Port, PortRange } from '../../units.ts'
import { invalidValue, listOf, portRangeValue, type ValueFailure } from '../reading/setting-values.ts'

export type CapturePort = Port | PortRange

/** Enough for anybody, and few enough for a filter in the kernel to look at. */
const MAX_SPA_PORTS = 64

/** `62201, 53, 10000-65534`. */
export function spaPorts(text: string): Result<readonly CapturePort[], ValueFailure> {
  const ranges = listOf(portRangeValue)(text)
  if (ranges.ok) return distinct(ranges.value)
  // The protocol is always UDP.
  const plain = text.replace(/\budp *[/:] *| *[/:] *udp\b/gi, '')
  return plain !== text && listOf(portRangeValue)(plain).ok ? invalidValue(ranges.failure.detail, plain) : ranges
}

/** The filters that say nothing but ports: `udp port 62201`, `udp dst port 53 or udp dst portrange 10000-65534`. */
export function filterPorts(text: string): Result<readonly CapturePort[], ValueFailure> {
  const ranges: PortRange[] = []
  for (const term of text.trim().split(/\s+or\s+/)) {
    const [, single, range] = /^udp\s+(?:dst\s+)?(?:port\s+([^\s-]+)|portrange\s+(\S+))$/.exec(term) ?? []
    const ports = single ?? range
    if (ports === undefined)
      return invalidValue(
        `the filter “${term}” is not understood: only “udp port N” and “udp portrange N-M”, joined by “or”`,
        suggestPorts(text),
      )
    const read = portRangeValue(ports)
    if (!read.ok) return read
    ranges.push(read.value)
  }
  return distinct(ranges)
}

/**
 * Suggests a line SPA_PORTS with the ports that a filter names.
 * @returns undefined if the filter names no port, excludes some (`not`), or is about TCP.
 */
function suggestPorts(filter: string): string | undefined {
  if (/\bnot\b|!|\btcp\b/.test(filter)) return undefined
  const named = [...filter.matchAll(/\bport(?:range)?\s+([0-9]+(?:-[0-9]+)?)(?![0-9-])/g)].map(
    ([, ports = '']) => ports,
  )
  const ports = spaPorts(named.join(','))
  return ports.ok ? `SPA_PORTS ${ports.value.map(formatCapturePort).join(', ')};` : undefined
}

function distinct(ranges: readonly PortRange[]): Result<readonly CapturePort[], ValueFailure> {
  const ports = new Map(
    ranges.map((range): [string, CapturePort] => [
      formatRange(range),
      range.first === range.last ? range.first : range,
    ]),
  )
  return ports.size > MAX_SPA_PORTS
    ? invalidValue(`at most ${MAX_SPA_PORTS} ports and ranges can be captured`)
    : ok([...ports.values()])
}

/** Whether two lists have the same ports, in any order. */
export function sameCapturePorts(some: readonly CapturePort[], others: readonly CapturePort[]): boolean {
  const names = new Set(others.map(formatCapturePort))
  return some.length === others.length && some.every((port) => names.has(formatCapturePort(port)))
}

/** As the file writes it: `62201`, `10000-65534`. */
export function formatCapturePort(port: CapturePort): string {
  return typeof port === 'number' ? `${port}` : formatRange(port)
}

function formatRange({ first, last }: PortRange): string {
  return first === last ? `${first}` : `${first}-${last}`
}
