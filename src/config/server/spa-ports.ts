/**
 * The UDP ports on which knocks arrive: SPA_PORTS, and what a PCAP_FILTER says of ports. Ranges are for clients that
 * choose a port at random for each knock (`-r`: from 10000 to 65534).
 */
import { ok, type Result } from '../../result.ts'
import type { Port, PortRange } from '../../units.ts'
import { invalidValue, portRangesValue, type ValueFailure } from '../reading/setting-values.ts'
import { type PacketFilter, packetFilter, udpPortsOf } from './pcap-filter.ts'

export type CapturePort = Port | PortRange

/** Enough for anybody, and few enough for a filter in the kernel to look at. */
export const MAX_SPA_PORTS = 64

/** `62201, 53, 10000-65534`. */
export function spaPorts(text: string): Result<readonly CapturePort[], ValueFailure> {
  const ranges = portRangesValue(text)
  return ranges.ok ? distinct(ranges.value) : ranges
}

/** What a PCAP_FILTER asks for: UDP ports, or more than that. */
export type FilteredCapture = { readonly ports: readonly CapturePort[] } | { readonly filter: PacketFilter }

/** PCAP_FILTER. */
export function captureFilter(text: string): Result<FilteredCapture, ValueFailure> {
  const filter = packetFilter(text)
  if (!filter.ok) return filter
  const ranges = udpPortsOf(filter.value)
  if (ranges === undefined) return ok({ filter: filter.value })
  const ports = distinct(ranges)
  return ports.ok ? ok({ ports: ports.value }) : ports
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
