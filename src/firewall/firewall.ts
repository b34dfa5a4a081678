/**
 * The ports to what opens doors. Contracts: `test/contract/firewall.ts` and `test/contract/kernel-firewall.ts`, run for
 * every implementation.
 */
import type { Grant, GrantId, LiveGrant } from '../access/grant.ts'
import type { IpAddress } from '../packet/address.ts'
import type { ProtocolPort } from '../packet/message.ts'
import type { Failure, Result } from '../result.ts'
import type { Milliseconds } from '../units.ts'
import type { LeftPort } from './host/after-removal.ts'
import type { Finding, PortsInUse } from './host/findings.ts'

export type FirewallFailure = Failure<'FIREWALL_REFUSED' | 'FIREWALL_FULL' | 'FIREWALL_UNAVAILABLE'>

/** A grant is open. Other grants that ended for it are named. */
export type Opened =
  | undefined
  | {
      /** Grants that led a port of the same source elsewhere. */
      readonly ended?: readonly Grant[]
      /** Grants whose places were needed (`holdings.ts`). */
      readonly displaced?: readonly Grant[]
    }

/** What `install()` found of earlier grants. */
export interface Kept {
  /** Live, and open as before. */
  readonly grants: readonly LiveGrant[]
  /** Number of records that cannot be read, or for which no place is left: these grants have ended. */
  readonly lost: number
}

/** A change by another program to what ghostport installed. */
export interface ForeignChange {
  readonly what: 'table' | 'chain' | 'rule' | 'set' | 'element' | 'object' | 'unknown'
  readonly how: 'added' | 'removed' | 'lost track'
  /** The set, for an element. */
  readonly set?: string
  readonly by?: { readonly pid: number; readonly program: string }
}

/** A rule in a chain of ours that has the form of ours, and that no grant of ours has. */
export interface StrayRule {
  readonly chain: string
  /** Its number in the chain, from 1, when it was found. */
  readonly rule: number
  /** When it ends, as it says itself: seconds since 1970. */
  readonly until: number
}

/** How such a change was repaired. */
export interface Mended {
  readonly change: ForeignChange
  /** How many live grants are open again. */
  readonly grants: number
  /** From noticing the change until all is repaired; 0 if the repair failed. */
  readonly took: Milliseconds
  /** After a failure, the repair is tried again every second. */
  readonly outcome: Result<void, FirewallFailure>
  /** Rules that the repair removed, where other programs use the same chains. */
  readonly strays?: readonly StrayRule[]
}

export interface FirewallListeners {
  /** Called after each repair, for the log. */
  onMended(mended: Mended): void
  /** Called when another program changes other rules of the host. This can be often. */
  onHostChange?(): void
  /** Called at each change of any rule, also of ours where that cannot be told. Before {@link onHostChange}. */
  onUnrest?(): void
}

/** A grant, and when it was live. It may have ended, while what it let in goes on. */
export interface Admission {
  readonly grant: Grant
  /** Milliseconds since 1970. Absent: not known. */
  readonly from?: number
  readonly until?: number
}

/** Connections by the grants that let them in. */
export interface LetIn {
  readonly by: readonly Admission[]
  /** All from these addresses, by any grant. A firewall without a mark knows only those of `by`. */
  readonly from?: readonly IpAddress[]
  /** Grants of others. What one of these may have let in as well is told of. */
  readonly others?: readonly Admission[]
}

/** What `endConnections()` ended. */
export interface EndedConnections {
  readonly connections: number
  /** How many of them may be of others: nothing tells them apart. */
  readonly shared: number
  /** Of those in `others`: the grants that may have let these in. */
  readonly sharedWith: readonly Grant[]
  /** How many services on this host may not have been told, because the kernel cannot end sockets. Absent: none. */
  readonly untold?: number
}

/** How many connections may be open at once. */
export interface ConnectionLimits {
  /** All together. Each takes two descriptors. */
  readonly connections: number
  /** Those without a grant, together. */
  readonly strangers: number
  /** Those without a grant from one IPv4 address or one IPv6 /64. */
  readonly strangersPerSource: number
}

/** The connections that this process itself carries, and those that it had no place for. */
export interface CarriedLoad {
  /** Open at this moment, with a grant and without. */
  readonly granted: number
  readonly strangers: number
  readonly limits: ConnectionLimits
  /** Since the start: connections that were refused because no place was left. */
  readonly refused: { readonly granted: number; readonly strangers: number }
}

/** What a running server needs. */
export interface Firewall {
  /** Makes ready to open grants, and keeps those that are already live. Idempotent. */
  install(): Promise<Result<void, FirewallFailure>>

  /** What the latest `install()` found. */
  kept(): Kept

  /**
   * From now on, undoes what other programs change in our table: all live grants open again, and all additions are
   * removed. Ends with `close()`. Call it before `install()`, where it costs nothing. After it, everything is rewritten
   * once, because changes in between were not noticed. An implementation that other programs cannot change does nothing
   * here.
   */
  watch(listeners: FirewallListeners): Result<void, FirewallFailure>

  /**
   * Opens grants. Each is opened completely or not at all, and one refused grant does not affect the others. Opening an
   * open grant starts its lifetime again; it never ends sooner than before. If two grants of one source contradict each
   * other, the first stays. But if only the second is first-hand ({@link Grant.firstHand}), the first ends. If no place
   * is left, other grants may have to end: see `holdings.ts`.
   * @returns one result for each grant, in order.
   */
  open(grants: readonly Grant[]): Promise<readonly Result<Opened, FirewallFailure>[]>

  /**
   * Ends grants now. New connections are refused; existing connections stay. Ending an unknown grant is not an error.
   * @returns a failure if one of them may still be open. Others may have ended then.
   */
  revoke(ids: readonly GrantId[]): Promise<Result<void, FirewallFailure>>

  /**
   * Ends connections at once, and tells both ends. Their services cannot begin them again; their clients can, with a
   * grant. Other connections of the same address stay. The grants stay too: revoke them first.
   */
  endConnections(which: LetIn): Promise<Result<EndedConnections, FirewallFailure>>

  /** What is open now, read back from the system, not from memory. */
  grants(): Promise<Result<readonly LiveGrant[], FirewallFailure>>

  /**
   * What the host's own rules do to grants, and which ports they leave open without one. nftables reads all rules: 30
   * ms for a thousand. An implementation without privilege cannot read them, and finds nothing.
   */
  hostFindings(ports: PortsInUse): Promise<Result<readonly Finding[], FirewallFailure>>

  /**
   * Whether what `install()` installed is there, asked of the system. Cheap. Changes by others may be repaired first,
   * where that is possible. False after `close()`.
   */
  isInPlace(): Promise<boolean>

  /** How what is installed is kept from other programs. Undefined if they cannot reach it anyway. */
  guard(): Guard | undefined

  /** Undefined if the kernel carries the connections. */
  load(): CarriedLoad | undefined

  /** Releases resources. Live grants stay open if the kernel ends them by itself. */
  close(): Promise<void>
}

/**
 * How our rules in the kernel are kept as they are. `owned`: the kernel lets no other program change them. `watched`:
 * each change is repaired.
 */
export type Guard = 'owned' | 'watched'

/** What is installed on a host. Another program may have emptied its list of protected ports. */
export type Installed =
  | { /** `chains`: those of fwknop, in the host’s iptables. */ readonly kind: 'mark' | 'chains' | 'absent' }
  | { readonly kind: 'gate'; readonly protectedPorts: readonly ProtocolPort[] }

/** Which rules a listing has. `commands`: ours, with the command that each rule comes from, where there is one. */
export type RulesToList = 'ours' | 'all' | 'commands'

/**
 * A firewall of the kernel: what it installs stays when this process ends. So it can be inspected without a server, and
 * an administrator must be able to remove it.
 */
export interface KernelFirewall extends Firewall {
  /** What is installed, read back from the kernel, regardless of the settings. */
  installed(): Promise<Result<Installed, FirewallFailure>>
  /**
   * A chain that shows that another program uses the table with our name, or a chain with the name of one of ours;
   * undefined if they are ours, empty or absent.
   */
  foreignChain(): Promise<Result<string | undefined, FirewallFailure>>
  /** How the host's own rules leave these ports once ours are removed. */
  afterRemoval(ports: readonly ProtocolPort[]): Promise<Result<readonly LeftPort[], FirewallFailure>>
  /** Names of other tables that look like ghostport's. */
  lookAlikes(): Promise<Result<readonly string[], FirewallFailure>>
  /** The rules as the host's own programs show them, for an administrator to read: ours, or all. */
  listing(which: RulesToList): Promise<Result<string, FirewallFailure>>
  /** Removes all that is ours, with every grant. In gate mode this opens the protected ports. Idempotent. */
  uninstall(): Promise<Result<void, FirewallFailure>>
}
