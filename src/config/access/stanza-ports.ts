/**
 * SPA_PORT and the ways of capture: which of them takes the packets to the stanzas' own ports, and how many ports it
 * can take.
 */
import { mergeRanges } from '../../access/spa-port.ts'
import type { Stanza } from '../../access/stanza.ts'
import { ok, type Refused, type Result, refuse } from '../../result.ts'
import { type PortRange, port } from '../../units.ts'
import type { ConfigFailure } from '../reading/notice.ts'
import { formatFilter } from '../server/pcap-filter.ts'
import type { CaptureConfig } from '../server/server-config.ts'
import { type CapturePort, formatCapturePort, MAX_SPA_PORTS } from '../server/spa-ports.ts'

/**
 * Ranges in the kernel's filter. Older kernels have room for some 2500 instructions in a socket's filter
 * (net.core.optmem_max), and a range takes 2.25 of them (`capture/packet-socket/port-search.ts`).
 */
const MOST_RANGES = 1024

interface StanzaPorts {
  readonly captures: readonly CaptureConfig[]
  /** As `Policy.sharedPorts`. */
  readonly sharedPorts?: readonly PortRange[]
}

/** @returns CONFIG_CONFLICT if a stanza has SPA_PORT and nothing can capture it. */
export function assembleStanzaPorts(
  captures: readonly CaptureConfig[],
  stanzas: readonly Stanza[],
): Result<StanzaPorts, ConfigFailure> {
  const own = stanzas.flatMap(({ spaPorts }) => spaPorts ?? [])
  const first = stanzas.find(({ spaPorts }) => spaPorts !== undefined)
  if (first === undefined) return ok({ captures })
  const at = first.location
  const taker = takerOf(captures)
  if (typeof taker === 'string') return refuse('CONFIG_CONFLICT', `SPA_PORT: ${taker}`, { at })
  const stanzaPorts = mergeRanges(own)
  const all = mergeRanges([...taker.ports.map(rangeOf), ...stanzaPorts])
  const problem = taker.kind === 'udp' ? socketProblem(all, stanzas) : filterProblem(all.length, first)
  if (problem !== undefined) return problem
  // A socket listens on a single port.
  const forTaker = taker.kind === 'udp' ? singles(stanzaPorts) : stanzaPorts
  return ok({
    captures: captures.map((capture) => (capture === taker ? { ...capture, stanzaPorts: forTaker } : capture)),
    sharedPorts: mergeRanges(captures.flatMap(({ ports }) => ports.map(rangeOf))),
  })
}

/** @returns the way of capture that takes UDP packets by their ports; or why there is none. */
function takerOf(captures: readonly CaptureConfig[]): CaptureConfig | string {
  const takers = captures.filter(({ kind }) => kind !== 'tcp-server')
  const [taker, other] = takers
  if (taker === undefined) return 'the server takes no UDP packets. Add packet to CAPTURE'
  if (other !== undefined)
    return 'CAPTURE has packet and udp, and the server cannot tell which of them should take the port. Leave one out'
  if (taker.filter === undefined) return taker
  return `PCAP_FILTER “${formatFilter(taker.filter)}” says more than UDP ports, so the server cannot add a port to it. Delete PCAP_FILTER, and list the ports of the other stanzas in SPA_PORTS`
}

/** A UDP socket listens on one port, and each has a cost. */
function socketProblem(all: readonly PortRange[], stanzas: readonly Stanza[]): Refused<ConfigFailure> | undefined {
  const ranged = stanzas.find(({ spaPorts }) => spaPorts?.some(({ first, last }) => first !== last))
  const range = ranged?.spaPorts?.find(({ first, last }) => first !== last)
  const suggestion = 'CAPTURE packet;'
  if (ranged !== undefined && range !== undefined)
    return refuse(
      'CONFIG_CONFLICT',
      `SPA_PORT: a UDP socket cannot listen on the range of ports ${formatCapturePort(range)}; CAPTURE packet can`,
      { at: ranged.location, suggestion },
    )
  const count = all.reduce((sum, { first, last }) => sum + last - first + 1, 0)
  const [first] = stanzas.filter(({ spaPorts }) => spaPorts !== undefined)
  if (count <= MAX_SPA_PORTS || first === undefined) return undefined
  return refuse(
    'CONFIG_CONFLICT',
    `SPA_PORT: the stanzas and SPA_PORTS name ${count} ports, and the server opens at most ${MAX_SPA_PORTS} UDP sockets; CAPTURE packet takes more`,
    { at: first.location, suggestion },
  )
}

function filterProblem(count: number, { location: at }: Stanza): Refused<ConfigFailure> | undefined {
  if (count <= MOST_RANGES) return undefined
  return refuse(
    'CONFIG_CONFLICT',
    `SPA_PORT: the ports of all stanzas and SPA_PORTS are ${count} separate ranges, and the kernel’s filter has room for ${MOST_RANGES}. Ports that follow each other are one range: choose such ports`,
    { at },
  )
}

function singles(ranges: readonly PortRange[]): readonly PortRange[] {
  return ranges.flatMap(({ first, last }) =>
    Array.from({ length: last - first + 1 }, (_, i) => ({ first: port(first + i), last: port(first + i) })),
  )
}

function rangeOf(port: CapturePort): PortRange {
  return typeof port === 'number' ? { first: port, last: port } : port
}
