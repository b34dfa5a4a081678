/** The live grants as the page shows them, and what changes from one look to the next. Pure. */
import type { GrantStatus } from '../daemon/warden/status.ts'

export interface ConsoleGrant {
  readonly id: string
  /** For whom it is open. */
  readonly source: string
  readonly opens: readonly string[]
  /** NAME of its stanza. */
  readonly name?: string
  /** The user name in the packet: anything at all. */
  readonly user?: string
  /** RFC 3339: when the console first saw it. */
  readonly since: string
  readonly until: string
  readonly kind: 'local' | 'ghost' | 'forward'
  /** Whether the server could make it longer. It judges that again. */
  readonly extendable: boolean
}

export type Grants = ReadonlyMap<string, ConsoleGrant>

export interface GrantChanges {
  readonly added: readonly ConsoleGrant[]
  readonly changed: readonly ConsoleGrant[]
  readonly removed: readonly string[]
}

/** The server tells whole seconds, and its answer takes some time. */
const SAME_END = 2_000

/**
 * @param before what was shown. A grant that is as it was stays the same object.
 * @param now Unix milliseconds.
 */
export function grantsNow(statuses: readonly GrantStatus[], before: Grants, now: number): Grants {
  const grants = new Map<string, ConsoleGrant>()
  for (const status of statuses) {
    const old = before.get(status.id)
    const end = now + status.secondsLeft * 1000
    const isAsBefore =
      old !== undefined && Math.abs(Date.parse(old.until) - end) < SAME_END && old.user === (status.user || undefined)
    grants.set(status.id, isAsBefore ? old : describe(status, old?.since ?? new Date(now).toISOString(), end))
  }
  return grants
}

function describe({ id, for: source, open, name, user }: GrantStatus, since: string, end: number): ConsoleGrant {
  const kind = kindOf(open)
  return {
    ...{ id, source, opens: open },
    ...(name !== undefined && { name }),
    ...(user !== '' && { user }),
    since,
    until: new Date(end).toISOString(),
    kind,
    extendable: kind === 'local',
  }
}

/** By what `describeOpening` writes: `tcp/22`, `tcp/443→22`, `tcp/443→10.0.0.5:22`, `through→…`, `all→…`. */
function kindOf(opens: readonly string[]): ConsoleGrant['kind'] {
  if (opens.every((one) => !one.includes('→'))) return 'local'
  return opens.every((one) => !one.includes('→') || /→[0-9]+$/.test(one)) ? 'ghost' : 'forward'
}

/** @returns undefined where nothing changed. */
export function changesBetween(before: Grants, after: Grants): GrantChanges | undefined {
  if (before === after) return undefined
  const added: ConsoleGrant[] = []
  const changed: ConsoleGrant[] = []
  for (const [id, grant] of after) {
    const old = before.get(id)
    if (old === undefined) added.push(grant)
    else if (old !== grant) changed.push(grant)
  }
  const removed = [...before.keys()].filter((id) => !after.has(id))
  return added.length + changed.length + removed.length === 0 ? undefined : { added, changed, removed }
}
