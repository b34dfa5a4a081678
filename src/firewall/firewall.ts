/** The ports to what opens doors. Contracts: `test/contract/firewall.ts` and `kernel-firewall.ts`, run against every implementation. */
import type { Grant, GrantId, LiveGrant } from '../access/grant.ts'
import type { ProtocolPort } from '../packet/message.ts'
import type { Failure, Result } from '../result.ts'
import type { Milliseconds } from '../units.ts'
import type { LeftPort } from './host/departure.ts'
import type { Finding, PortsInUse } from './host/findings.ts'

export type FirewallFailure = Failure<'FIREWALL_REFUSED' | 'FIREWALL_FULL' | 'FIREWALL_UNAVAILABLE'>

/** A grant is open. Where other grants had to end for it, they are named. */
export type Opened =
  | undefined
  | {
      /** They led a port of the same source elsewhere. */
      readonly ended?: readonly Grant[]
      /** Their places were needed (`holdings.ts`). */
      readonly displaced?: readonly Grant[]
    }

/** What `install()` found of grants from before. */
export interface Kept {
  /** Live, and open as before. */
  readonly grants: readonly LiveGrant[]
  /** Records that could not be read, or for which there is no place any more: these grants have ended. */
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

/** How such a change was put back. */
export interface Mended {
  readonly change: ForeignChange
  /** How many grants were live and are open again. */
  readonly grants: number
  /** From hearing of it to all being whole and every door of a grant open; 0 where that failed. */
  readonly took: Milliseconds
  /** A failure is tried again every second. */
  readonly outcome: Result<void, FirewallFailure>
}

export interface FirewallListeners {
  /** Called after each time that something was put back, for the log. */
  onMended(mended: Mended): void
  /** Called when somebody changes other rules of the host; often, where they do so often. */
  onHostChange?(): void
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
  /** Since the start: connections that found no place. */
  readonly refused: { readonly granted: number; readonly strangers: number }
}

/** What a running server needs. */
export interface Firewall {
  /** Makes ready to open grants, keeping those that are live already. Idempotent. */
  install(): Promise<Result<void, FirewallFailure>>

  /** What the latest `install()` found. */
  kept(): Kept

  /**
   * From now on, puts back what other programs change of ours: all that was live is open again, all that they added is gone. Ends with
   * `close()`. Before `install()`, it costs nothing; after it, all is put back once, since nobody listened to what happened
   * meanwhile. Where nothing of ours can be changed from outside, there is nothing to hear.
   */
  watch(listeners: FirewallListeners): Result<void, FirewallFailure>

  /**
   * Opens grants. Each is whole or not at all, and one refused grant does not harm its neighbours. Opening a grant that
   * is open starts its lifetime anew; it never ends sooner than it would have. Where two grants of one source contradict each
   * other, the first stays, unless the second alone is first-hand ({@link Grant.firstHand}): then the first ends. Where there is no
   * place left, others may have to end for it: `holdings.ts` says which.
   * @returns one result for each grant, in order.
   */
  open(grants: readonly Grant[]): Promise<readonly Result<Opened, FirewallFailure>[]>

  /** Ends a grant now. New connections are refused; what it already let in lives on. Ending an unknown grant is no error. */
  revoke(id: GrantId): Promise<Result<void, FirewallFailure>>

  /** What is open now, read back from the system, not from memory. */
  grants(): Promise<Result<readonly LiveGrant[], FirewallFailure>>

  /**
   * What the host's own rules do to grants, and leave open without one. nftables reads all of them: 30 ms for a thousand. An
   * implementation without privilege cannot look, and finds nothing.
   */
  hostFindings(ports: PortsInUse): Promise<Result<readonly Finding[], FirewallFailure>>

  /** Absent where the kernel carries the connections. */
  load(): CarriedLoad | undefined

  /** Lets go of resources. Live grants stay as they are where the kernel ends them. */
  close(): Promise<void>
}

/** What is installed on a host. Somebody may have emptied its list of protected ports. */
export type Installed =
  | { readonly kind: 'mark' | 'absent' }
  | { readonly kind: 'gate'; readonly protectedPorts: readonly ProtocolPort[] }

/**
 * A firewall of the kernel: what it installs outlives this process. So it can be looked at without a server, and has to be taken
 * away by somebody.
 */
export interface KernelFirewall extends Firewall {
  /** What is installed, read back from the kernel, whatever the settings say. */
  installed(): Result<Installed, FirewallFailure>
  /** A chain that shows that what has our name is somebody else's; undefined where it is ours, empty or absent. */
  foreignChain(): Promise<Result<string | undefined, FirewallFailure>>
  /** How the host's own rules leave these ports when ours are gone. */
  departure(ports: readonly ProtocolPort[]): Promise<Result<readonly LeftPort[], FirewallFailure>>
  /** Names of what is not this firewall and looks like another of ghostport. */
  lookAlikes(): Promise<Result<readonly string[], FirewallFailure>>
  /** Takes away all that is ours, and every grant with it. In gate mode that lets the protected ports in. Idempotent. */
  uninstall(): Promise<Result<void, FirewallFailure>>
}
