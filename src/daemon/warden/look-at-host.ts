/**
 * Checks what a start needs of this host besides good files: a user for the receiver, sockets, a firewall, folders.
 * Used by `serve --exit-parse-config`, and changes nothing. Each check is the one of a start, or stops before it would
 * change something.
 *
 * To add a check, add a function to {@link looks}. It returns notices, or why a start would be refused.
 */
import { systemClock } from '../../clock.ts'
import { missingAccounts } from '../../commands/judge-accounts.ts'
import { judgeWebhook } from '../../commands/webhook.ts'
import type { LoadedConfig } from '../../config/load.ts'
import type { Notice } from '../../config/reading/notice.ts'
import type { Failure, Result } from '../../result.ts'
import { ok } from '../../result.ts'
import { checkSituation, currentSituation } from '../../system/privilege.ts'
import { judgeCluster } from './cluster-process/secrets.ts'
import { gnupgOrder } from './gnupg-process/gnupg-order.ts'
import { hostNotices } from './host-notices.ts'
import { lookAtFirewall } from './open-firewall.ts'
import { lookAtCapture } from './open-parts.ts'
import { lookAtOwnPaths } from './own-paths.ts'
import { helperSocket } from './receiver-process/helpers.ts'
import { receiverAccount } from './receiver-process/receiver-user.ts'

export interface HostFindings {
  /** Why a start would be refused; empty if it would not. */
  readonly refusals: readonly Failure[]
  readonly notices: readonly Notice[]
}

type Look = (
  loaded: LoadedConfig,
  receiverSocket: string | undefined,
) => Promise<Result<readonly Notice[]>> | Result<readonly Notice[]>

const looks: readonly Look[] = [
  (loaded) => none(receiverAccount(loaded)),
  (loaded) => none(judgeWebhook(loaded)),
  (loaded) => none(judgeCluster(loaded)),
  ({ policy }) => none(gnupgOrder(policy.stanzas)),
  (loaded) => ok(hostNotices(loaded, systemClock.now())),
  lookAtCapture,
  (loaded, receiverSocket) => {
    if (helperSocket(receiverSocket) !== undefined) return ok([])
    const account = receiverAccount(loaded)
    return account.ok ? none(checkSituation(account.value, currentSituation())) : ok([])
  },
  lookAtFirewall,
  lookAtOwnPaths,
]

function none(looked: Result<unknown>): Result<readonly Notice[]> {
  return looked.ok ? ok([]) : looked
}

/**
 * Runs every check, even after one that refuses.
 * @param receiverSocket where the server asks systemd for its receiver, if it does.
 */
export async function lookAtHost(loaded: LoadedConfig, receiverSocket?: string): Promise<HostFindings> {
  const refusals: Failure[] = [...missingAccounts(loaded)]
  const notices: Notice[] = []
  for (const look of looks) {
    const found = await look(loaded, receiverSocket)
    if (found.ok) notices.push(...found.value)
    else refusals.push(found.failure)
  }
  return { refusals, notices }
}
