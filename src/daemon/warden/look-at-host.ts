/**
 * What a start needs of this host, besides good files: a user for the receiver, sockets, a firewall, folders. Looked at
 * without changing anything, for `serve --exit-parse-config`. Each look is the one that a start takes, or stops short of
 * what would change something.
 *
 * To have one more thing looked at, add a function to {@link looks}: it returns notices, or why a start would be refused.
 */
import { systemClock } from '../../clock.ts'
import type { LoadedConfig } from '../../config/load.ts'
import type { Notice } from '../../config/reading/notice.ts'
import type { Failure, Result } from '../../result.ts'
import { ok } from '../../result.ts'
import { checkSituation, currentSituation } from '../../system/privilege.ts'
import { hostNotices } from './host-notices.ts'
import { lookAtFirewall } from './open-firewall.ts'
import { lookAtCapture } from './open-parts.ts'
import { lookAtPlaces } from './places.ts'
import { receiverAccount } from './receiver-process/account.ts'

export interface HostFindings {
  /** Why a start would be refused; none where it would not. */
  readonly refusals: readonly Failure[]
  readonly notices: readonly Notice[]
}

type Look = (loaded: LoadedConfig) => Promise<Result<readonly Notice[]>> | Result<readonly Notice[]>

const looks: readonly Look[] = [
  (loaded) => none(receiverAccount(loaded)),
  (loaded) => ok(hostNotices(loaded, systemClock.now())),
  lookAtCapture,
  (loaded) => {
    const account = receiverAccount(loaded)
    return account.ok ? none(checkSituation(account.value, currentSituation())) : ok([])
  },
  lookAtFirewall,
  lookAtPlaces,
]

function none(looked: Result<unknown>): Result<readonly Notice[]> {
  return looked.ok ? ok([]) : looked
}

/** Takes every look, also after one that refuses. */
export async function lookAtHost(loaded: LoadedConfig): Promise<HostFindings> {
  const refusals: Failure[] = []
  const notices: Notice[] = []
  for (const look of looks) {
    const found = await look(loaded)
    if (found.ok) notices.push(...found.value)
    else refusals.push(found.failure)
  }
  return { refusals, notices }
}
