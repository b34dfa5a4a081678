/** The port to whatever opens doors. Contract: `test/contract/firewall.ts`, run against every implementation. */
import type { Grant, GrantId, LiveGrant } from '../access/grant.ts'
import type { Failure, Result } from '../result.ts'

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

export interface Firewall {
  /** Whether the kernel itself ends a grant, also with no ghostport running. If not, what opened it must be alive. */
  readonly kernelExpires: boolean

  /** Makes ready to open grants, keeping those that are live already. Idempotent. */
  install(): Promise<Result<void, FirewallFailure>>

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

  /** Lets go of resources. Live grants stay as they are where the kernel ends them. */
  close(): Promise<void>
}
