/**
 * Which connections a grant let in: by source, protocol, public port and where it leads, and by the mark where the
 * firewall has one. Never by the address alone. Pure.
 */
import { type Grant, isEveryPort, type Opening, type TransitTarget } from '../../access/grant.ts'
import { type IpAddress, networkContains } from '../../packet/address.ts'
import type { Admission, LetIn } from '../firewall.ts'
import { TCP, type Tracked, UDP } from './tracked.ts'

/** The kernel reads its clock a little before or after us, and grants end by whole seconds. */
const SLACK = 1500

export interface Chosen {
  readonly connections: readonly Tracked[]
  readonly shared: number
  readonly sharedWith: readonly Grant[]
}

/** @param tracked where the firewall marks what it lets in: only such connections. @param isMarked whether it does. */
export function chooseConnections(
  tracked: readonly Tracked[],
  { by, from = [], others = [] }: LetIn,
  isMarked: boolean,
): Chosen {
  const sources = new Set(isMarked ? from : [])
  const connections = tracked.filter(
    (connection) =>
      (sources.has(connection.original.source) && !connection.isFromService) ||
      by.some((admission) => letIn(admission, connection)),
  )
  const sharedWith = new Set<Grant>()
  let shared = 0
  for (const connection of connections) {
    const also = others.filter((admission) => letIn(admission, connection))
    if (also.length > 0) shared++
    for (const { grant } of also) sharedWith.add(grant)
  }
  return { connections, shared, sharedWith: [...sharedWith] }
}

/**
 * What services may have begun to one of these addresses by themselves. No grant let it in, but its client is let in as
 * part of it. TCP services begin nothing.
 */
export function begunByServices(tracked: readonly Tracked[], sources: ReadonlySet<IpAddress>): readonly Tracked[] {
  return tracked.flatMap((one): readonly Tracked[] => {
    const { protocol, original, reply } = one
    if (protocol === TCP || !sources.has(reply.source) || sources.has(original.source)) return []
    return [{ ...one, original: reply, reply: original, isFromService: true }]
  })
}

/** Whether this grant can have let it in, or is for a service that began it. */
export function letIn({ grant, from, until }: Admission, connection: Tracked): boolean {
  if (connection.original.source !== grant.source) return false
  const { startedAt, isFromService } = connection
  if (isFromService) return grant.openings.some((opening) => isForServiceOf(opening, connection))
  if (startedAt !== undefined) {
    if (from !== undefined && startedAt < from - SLACK) return false
    if (until !== undefined && startedAt > until + SLACK) return false
  }
  return grant.openings.some((opening) => leads(opening, connection))
}

/** Whether it opens the service that sends so: by the public port, or the port or host that this leads to. */
function isForServiceOf(opening: Opening, { protocol, reply: { source, sourcePort } }: Tracked): boolean {
  switch (opening.kind) {
    case 'access':
      return (
        isOf(opening.protocol, protocol) &&
        sourcePort === opening.port &&
        (opening.destination === undefined || opening.destination === source)
      )
    case 'ghost':
      return isOf(opening.protocol, protocol) && sourcePort === opening.localPort
    case 'forward':
      return isOf(opening.protocol, protocol) && source === opening.target.address && sourcePort === opening.target.port
    case 'transit':
      return opening.to.some((target) => isWithin(target, protocol, source, sourcePort))
    case 'divert':
      return source === opening.target
    default:
      return opening satisfies never
  }
}

function leads(opening: Opening, { protocol, original, reply }: Tracked): boolean {
  switch (opening.kind) {
    case 'access':
      // A rule of the host may lead the port elsewhere, as Docker does.
      return isTo(opening, opening.port)
    case 'ghost':
      return isTo(opening, opening.publicPort) && reply.sourcePort === opening.localPort
    case 'forward': {
      const { address, port } = opening.target
      return isTo(opening, opening.publicPort) && reply.source === address && reply.sourcePort === port
    }
    case 'transit':
      return opening.to.some((target) => isWithin(target, protocol, original.destination, original.destinationPort))
    case 'divert':
      return reply.source === opening.target && original.destination !== opening.target
    default:
      return opening satisfies never
  }

  function isTo(
    { protocol: asked, destination }: Extract<Opening, { readonly kind: 'access' | 'ghost' | 'forward' }>,
    publicPort: number,
  ): boolean {
    if (!isOf(asked, protocol) || original.destinationPort !== publicPort) return false
    return destination === undefined || original.destination === destination
  }
}

function isWithin(target: TransitTarget, protocol: number, address: IpAddress, port: number): boolean {
  if (!networkContains(target.network, address)) return false
  if (isEveryPort(target)) return true
  return isOf(target.protocol, protocol) && port >= target.ports.first && port <= target.ports.last
}

/** @param asked absent: TCP and UDP. */
function isOf(asked: 'tcp' | 'udp' | undefined, protocol: number): boolean {
  return asked === undefined ? protocol === TCP || protocol === UDP : protocol === (asked === 'tcp' ? TCP : UDP)
}
