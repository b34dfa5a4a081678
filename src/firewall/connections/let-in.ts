/**
 * Which connections a grant let in: by source, protocol, public port and where it leads, and by the mark where the
 * firewall has one. Never by the address alone. Pure.
 */
import { type Grant, isEveryPort, type Opening } from '../../access/grant.ts'
import { networkContains } from '../../packet/address.ts'
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
    (connection) => sources.has(connection.original.source) || by.some((admission) => letIn(admission, connection)),
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

/** Whether this grant can have let it in. */
export function letIn({ grant, from, until }: Admission, connection: Tracked): boolean {
  if (connection.original.source !== grant.source) return false
  const { startedAt } = connection
  if (startedAt !== undefined) {
    if (from !== undefined && startedAt < from - SLACK) return false
    if (until !== undefined && startedAt > until + SLACK) return false
  }
  return grant.openings.some((opening) => leads(opening, connection))
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
      return opening.to.some(
        (target) =>
          networkContains(target.network, original.destination) &&
          (isEveryPort(target) ||
            (isOf(target.protocol) &&
              original.destinationPort >= target.ports.first &&
              original.destinationPort <= target.ports.last)),
      )
    case 'divert':
      return reply.source === opening.target && original.destination !== opening.target
    default:
      return opening satisfies never
  }

  function isTo(
    { protocol: asked, destination }: Extract<Opening, { readonly kind: 'access' | 'ghost' | 'forward' }>,
    publicPort: number,
  ): boolean {
    if (!isOf(asked) || original.destinationPort !== publicPort) return false
    return destination === undefined || original.destination === destination
  }

  /** Without a protocol: TCP and UDP. */
  function isOf(asked: 'tcp' | 'udp' | undefined): boolean {
    return asked === undefined ? protocol === TCP || protocol === UDP : protocol === (asked === 'tcp' ? TCP : UDP)
  }
}
