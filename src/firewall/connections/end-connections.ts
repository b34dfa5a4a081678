/**
 * Ends connections that the kernel carries, at once, so that both ends know it:
 *
 * - a TCP connection of a socket on this host: the kernel resets it (`local-socket.ts`);
 * - a TCP connection that is forwarded: each end is sent a reset with the number that it expects (`segments.ts`);
 * - any other flow: the kernel forgets it. Its client's next packet is a new one, and no grant lets it in.
 *
 * The tracking of each ends as well. What a client sends on it later is no part of a connection that a grant let in.
 * But a service may answer late, or send by itself. For the kernel, such a packet begins a connection from the service
 * to the client, and what the client sends then is part of it. So the firewall holds such packets back
 * ({@link HoldBack}). What a service had begun before, while its client was silent, ends too.
 */
import { constants } from 'node:os'
import { type AddressFamily, familyOf } from '../../packet/address.ts'
import { ok, type Result, refuse } from '../../result.ts'
import { describeErrno } from '../../system/errno.ts'
import type { EndedConnections, FirewallFailure, LetIn } from '../firewall.ts'
import { Asked, Interception, MOST_LEGS } from './kernel-sockets.ts'
import { begunByServices, chooseConnections } from './let-in.ts'
import { destroySocket } from './local-socket.ts'
import { type Leg, legKey, probe, reset } from './segments.ts'
import { askForAll, endTracking, readTracked, TCP, type Tracked } from './tracked.ts'

const FAMILIES = [4, 6] as const
/** When ends that have not answered are asked, in milliseconds after the beginning. */
const PROBES = [0, 40, 120, 250, 450]
/** How often to read what has arrived. */
const TURN = 10
/** How long the caller waits for the ends to close. */
const AWAITED = 600
/**
 * How long an end that does not answer is listened to: what it sends next is answered with a reset. A client behind a
 * router that drops what is outside of the window is reached only so.
 */
const LISTENS = 60_000
const SLOW_TURN = 100
const { ENOENT } = constants.errno

/**
 * Makes the firewall drop what would begin a connection as these flows are answered: from their services to their
 * clients. A client may still begin one.
 */
export type HoldBack = (flows: readonly Tracked[]) => Promise<Result<void, FirewallFailure>>

/**
 * What `Firewall.endConnections` does where the kernel carries the connections.
 * @param mark of the firewall; absent: it has none.
 */
export async function endLetIn(
  which: LetIn,
  mark: number | undefined,
  holdBack: HoldBack,
): Promise<Result<EndedConnections, FirewallFailure>> {
  const sources = new Set([...which.by.map(({ grant }) => grant.source), ...(which.from ?? [])])
  if (sources.size === 0) return ok({ connections: 0, shared: 0, sharedWith: [] })
  const tracked = trackedConnections(mark, ({ original }) => sources.has(original.source))
  if (!tracked.ok) return tracked
  // No mark: no grant let these in.
  const begun = trackedConnections(undefined, ({ reply }) => sources.has(reply.source))
  if (!begun.ok) return begun
  const all = [...tracked.value, ...begunByServices(begun.value, sources)]
  const { connections, shared, sharedWith } = chooseConnections(all, which, mark !== undefined)
  const ended = await endConnections(connections, holdBack)
  if (!ended.ok) return ended
  const { untold } = ended.value
  return ok({
    ...{ connections: connections.filter(({ isOver }) => !isOver).length, shared, sharedWith },
    ...(untold > 0 && { untold }),
  })
}

/** Ends the tracking of what began while the firewall held nothing back: another program had removed its rules. */
export function endWhatBegan(isMeant: (connection: Tracked) => boolean): Result<void, FirewallFailure> {
  const begun = trackedConnections(undefined, isMeant)
  if (!begun.ok || begun.value.length === 0) return begun.ok ? ok(undefined) : begun
  const asked = Asked.open('connections')
  if (!asked.ok) return asked
  for (const { protocol, original } of begun.value) asked.value.order(endTracking(protocol, original))
  asked.value.close()
  return ok(undefined)
}

/** @param mark bits that each connection must carry; absent: all connections. */
export function trackedConnections(
  mark: number | undefined,
  isWanted: (connection: Tracked) => boolean,
): Result<readonly Tracked[], FirewallFailure> {
  const asked = Asked.open('connections')
  if (!asked.ok) return asked
  const found: Tracked[] = []
  try {
    for (const family of FAMILIES) {
      const errno = asked.value.list(askForAll(family, mark), (message) => {
        const connection = readTracked(message)
        // A kernel that does not know the filter lists all.
        if (connection !== undefined && (connection.mark & (mark ?? 0)) >>> 0 === (mark ?? 0) && isWanted(connection))
          found.push(connection)
      })
      if (errno !== 0)
        return refuse('FIREWALL_UNAVAILABLE', `the kernel does not list connections: ${describeErrno(errno)}`)
    }
  } finally {
    asked.value.close()
  }
  return ok(found)
}

/** What ends sockets of this host. */
type Sockets = Pick<Asked, 'order' | 'close'>

/**
 * Resolves when the ends have closed, or after a moment.
 * @returns how many services on this host may not have been told: a kernel without INET_DIAG_DESTROY ends no socket.
 * Their clients are told, and nothing passes any more. A client that still answers resets its service itself. Or why
 * the kernel keeps connections.
 */
export async function endConnections(
  connections: readonly Tracked[],
  holdBack: HoldBack,
  openSockets: () => Result<Sockets, FirewallFailure> = () => Asked.open('sockets'),
): Promise<Result<{ readonly untold: number }, FirewallFailure>> {
  if (connections.length === 0) return ok({ untold: 0 })
  const asked = Asked.open('connections')
  if (!asked.ok) return asked
  const sockets = openSockets()
  let untold = 0
  const forwarded: Tracked[] = []
  for (const connection of connections) {
    if (connection.protocol !== TCP || connection.isOver) continue
    // Before its tracking ends: the reset of the kernel is still translated back.
    const errno = sockets.ok ? sockets.value.order(destroySocket(connection.reply)) : ENOENT
    if (errno !== 0) forwarded.push(connection)
    // Else there is no such socket here: it is forwarded, or its program has closed it.
    if (errno !== 0 && errno !== ENOENT) untold++
  }
  // Before their tracking ends as well: else an answer in between begins a connection.
  let failed = await holdBack([...connections.filter(({ protocol }) => protocol !== TCP), ...forwarded])
  for (const connection of connections) {
    const errno = asked.value.order(endTracking(connection.protocol, connection.original))
    if (errno !== 0 && errno !== ENOENT)
      failed = refuse('FIREWALL_UNAVAILABLE', `the kernel keeps a connection: ${describeErrno(errno)}`)
  }
  asked.value.close()
  if (sockets.ok) sockets.value.close()
  const resets = await Promise.all(FAMILIES.map((family) => resetAll(family, forwarded)))
  const refused = [...resets, failed].find((one) => !one.ok)
  return refused?.ok === false ? refused : ok({ untold })
}

async function resetAll(
  family: AddressFamily,
  connections: readonly Tracked[],
): Promise<Result<void, FirewallFailure>> {
  const all = connections.filter(({ original }) => familyOf(original.source) === family).flatMap(legsOf)
  const parts: Promise<Result<void, FirewallFailure>>[] = []
  for (let from = 0; from < all.length; from += MOST_LEGS) {
    const legs = all.slice(from, from + MOST_LEGS)
    const opened = Interception.open(family, legs)
    if (!opened.ok) return opened
    const asked = Asked.open('connections')
    if (!asked.ok) {
      opened.value.close()
      return asked
    }
    parts.push(new Resetting(opened.value, asked.value, legs).closed.then(() => ok(undefined)))
  }
  await Promise.all(parts)
  return ok(undefined)
}

/** Each end believes to be connected with another address where addresses are translated. */
function legsOf({ original, reply }: Tracked): readonly Leg[] {
  return [
    {
      ...{ end: original.source, endPort: original.sourcePort },
      ...{ peer: original.destination, peerPort: original.destinationPort },
    },
    {
      ...{ end: reply.source, endPort: reply.sourcePort },
      ...{ peer: reply.destination, peerPort: reply.destinationPort },
    },
  ]
}

/** Asks ends what they expect, and sends them resets, until each has closed. */
class Resetting {
  /** Resolves when all have closed, or after {@link AWAITED}. */
  readonly closed: Promise<void>
  readonly #interception: Interception
  readonly #asked: Asked
  readonly #open: Map<string, Leg>
  readonly #begun = performance.now()
  #probed = 0
  #onClosed: () => void = () => {}

  constructor(interception: Interception, asked: Asked, legs: readonly Leg[]) {
    this.#interception = interception
    this.#asked = asked
    this.#open = new Map(legs.map((leg) => [legKey(leg), leg]))
    this.closed = new Promise((resolve) => {
      this.#onClosed = resolve
    })
    this.#turn()
  }

  #turn(): void {
    for (const heard of this.#interception.heard()) {
      const key = legKey(heard)
      const leg = this.#open.get(key)
      if (leg === undefined) continue
      // A closed end answers the next question with a reset of its own.
      if (heard.isReset) this.#open.delete(key)
      else if (heard.expects !== undefined) this.#send(leg, reset(leg, heard.expects))
    }
    const passed = performance.now() - this.#begun
    if (this.#open.size === 0 || passed > LISTENS) {
      this.#interception.close()
      this.#asked.close()
      this.#onClosed()
      return
    }
    if (passed > AWAITED) this.#onClosed()
    if (passed >= (PROBES[this.#probed] ?? Number.POSITIVE_INFINITY)) {
      this.#probed++
      for (const leg of this.#open.values()) this.#send(leg, probe(leg, Math.floor(Math.random() * 2 ** 32)))
    }
    const timer = setTimeout(() => this.#turn(), passed > AWAITED ? SLOW_TURN : TURN)
    // It keeps no process alive that could end.
    if (passed > AWAITED) timer.unref()
  }

  /** The kernel tracks what we send as a connection. Ends that ignore a reset would go on as part of it. */
  #send(leg: Leg, segment: Uint8Array): void {
    this.#interception.send(leg, segment)
    const { peer, peerPort, end, endPort } = leg
    const sent = { source: peer, sourcePort: peerPort, destination: end, destinationPort: endPort }
    this.#asked.order(endTracking(TCP, sent))
  }
}
