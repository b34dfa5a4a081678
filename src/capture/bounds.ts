/** What every way of capture lets through: which ports, and how long a payload may be. */
import { ok, type Result, refuse } from '../result.ts'
import type { Port, PortRange } from '../units.ts'
import type { CaptureFailure } from './capture.ts'

export interface CaptureBounds {
  /** Destination ports; the order means nothing. Ranges are for clients that knock on random ports (`ghostport knock -r`). */
  readonly ports: readonly (Port | PortRange)[]
  /** Shortest UDP payload worth a look, in bytes. */
  readonly minimumPayload?: number
  /** MAX_SNIFF_BYTES: longest UDP payload, in bytes. */
  readonly maximumPayload?: number
}

/** No SPA packet is shorter than a salt and one cipher block in base64; the receiver draws the exact line. */
const DEFAULT_MINIMUM_PAYLOAD = 32
/** fwknop's MAX_SNIFF_BYTES. */
const DEFAULT_MAXIMUM_PAYLOAD = 1500

export function payloadBounds(bounds: CaptureBounds): { readonly minimum: number; readonly maximum: number } {
  return {
    minimum: bounds.minimumPayload ?? DEFAULT_MINIMUM_PAYLOAD,
    maximum: bounds.maximumPayload ?? DEFAULT_MAXIMUM_PAYLOAD,
  }
}

export function rangeOf(port: Port | PortRange): PortRange {
  return typeof port === 'number' ? { first: port, last: port } : port
}

/** @returns each port once; CAPTURE_FAILED for a range, which a UDP socket cannot listen on, and for none at all. */
export function singlePorts({ ports }: CaptureBounds): Result<readonly Port[], CaptureFailure> {
  const single = new Set<Port>()
  for (const { first, last } of ports.map(rangeOf)) {
    if (first !== last)
      return refuse(
        'CAPTURE_FAILED',
        `UDP sockets listen on single ports, not on ${first}–${last}: list the ports, or set CAPTURE to packet`,
      )
    single.add(first)
  }
  if (single.size === 0) return refuse('CAPTURE_FAILED', 'no port to capture')
  return ok([...single])
}
