/** A firewall in memory: for tests and the demo. It opens nothing, but answers like the real ones. */
import type { LiveGrant } from '../access/grant.ts'
import { DEFAULT_MAX_GRANTS } from '../config/server/firewall-settings.ts'
import type { IpAddress } from '../packet/address.ts'
import type { ProtocolPort } from '../packet/message.ts'
import { ok } from '../result.ts'
import { milliseconds } from '../units.ts'
import { Book, endedBy, type Instant } from './book.ts'
import { type Destination, wayKey } from './doors.ts'
import type { Firewall } from './firewall.ts'

export interface MemoryFirewall extends Firewall {
  /** Where a new connection from `source` to this public port would arrive; `shut` if no grant lets it in. */
  reach(source: IpAddress, to: ProtocolPort): Destination | 'shut'
}

/**
 * @param monotonic the clock, in milliseconds.
 * @param capacity how many doors may be open at once in each address family.
 */
export function createMemoryFirewall(
  monotonic: () => number = () => performance.now(),
  capacity = DEFAULT_MAX_GRANTS,
): MemoryFirewall {
  const book = new Book(capacity)
  let isInstalled = false
  const now = (): Instant => monotonic() as Instant
  return {
    install: async () => {
      isInstalled = true
      return ok(undefined)
    },
    open: async (grants) =>
      grants.map((grant) => {
        const admitted = book.admit(grant, now())
        return admitted.ok ? ok(endedBy(admitted.value)) : admitted
      }),
    revoke: async (ids) => {
      for (const id of ids) book.revoke(id, now())
      return ok(undefined)
    },
    endConnections: async () => ok({ connections: 0, shared: 0, sharedWith: [] }),
    grants: async () => {
      const at = now()
      return ok(book.live(at).map(({ grant, until }): LiveGrant => ({ grant, remaining: milliseconds(until - at) })))
    },
    kept: () => ({ grants: [], lost: 0 }),
    watch: () => ok(undefined),
    hostFindings: async () => ok([]),
    isInPlace: async () => isInstalled,
    guard: () => undefined,
    load: () => undefined,
    close: async () => {
      isInstalled = false
    },
    reach: (source, { protocol, port }) => {
      const door = book.lookUp(wayKey(source, protocol, port), now())
      return door?.kind === 'way' ? door.to : 'shut'
    },
  }
}
