/** What every way of capture accepts: which ports, and how long a payload may be. */
import { type PacketFilter, portsFilter } from '../config/server/pcap-filter.ts'
import { ok, type Result, refuse } from '../result.ts'
import type { Port, PortRange } from '../units.ts'
import type { CaptureFailure } from './capture.ts'

export interface CaptureBounds {
  /** Destination ports, in any order. Ranges are for clients that knock on random ports (`ghostport knock -r`). */
  readonly ports: readonly (Port | PortRange)[]
  /** PCAP_FILTER, where it says more than UDP ports. {@link ports} then do not count. */
  readonly filter?: PacketFilter
  /** Whether packets for other hosts are captured too, on these interfaces: ENABLE_PCAP_PROMISC. Default: no. */
  readonly promiscuous?: 'any' | readonly string[]
  /** Whether packets that this host sends are captured too: ENABLE_PCAP_ANY_DIRECTION. Default: no. */
  readonly outgoing?: boolean
  /** The shortest payload to accept, in bytes. */
  readonly minimumPayload?: number
  /** MAX_SNIFF_BYTES: the longest payload to accept, in bytes. */
  readonly maximumPayload?: number
  /** Whether what cannot be an SPA packet by its length and its first character stays in the kernel. Default: no. */
  readonly onlySpa?: boolean
}

/** No SPA packet is shorter than a salt and one cipher block in base64. The receiver checks the exact length. */
const DEFAULT_MINIMUM_PAYLOAD = 32
/** fwknop's MAX_SNIFF_BYTES. */
const DEFAULT_MAXIMUM_PAYLOAD = 1500

export function payloadBounds(bounds: Pick<CaptureBounds, 'minimumPayload' | 'maximumPayload'>): {
  readonly minimum: number
  readonly maximum: number
} {
  return {
    minimum: bounds.minimumPayload ?? DEFAULT_MINIMUM_PAYLOAD,
    maximum: bounds.maximumPayload ?? DEFAULT_MAXIMUM_PAYLOAD,
  }
}

/** What the bounds say of ports, as a filter. */
export function filterFor({ ports, filter }: Pick<CaptureBounds, 'ports' | 'filter'>): PacketFilter {
  return filter ?? portsFilter(ports)
}

export function rangeOf(port: Port | PortRange): PortRange {
  return typeof port === 'number' ? { first: port, last: port } : port
}

/** @returns each port once; CAPTURE_FAILED for a range, which a UDP socket cannot listen on, or if there is no port. */
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
