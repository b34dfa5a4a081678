/** Notices about this host at this moment that the files do not show. Given at each start, reload and check. */

import { groupsOfUsers } from '../../commands/judge-accounts.ts'
import { missingPrograms } from '../../commands/missing-programs.ts'
import type { LoadedConfig } from '../../config/load.ts'
import type { Notice } from '../../config/reading/notice.ts'
import type { UnixSeconds } from '../../units.ts'
import { missingGetent } from './admission/ask-resolver.ts'
import { bootGateNotices } from './boot-gate.ts'
import { expiredStanzas } from './expired-stanzas.ts'
import { absentInterfaces } from './interfaces.ts'

export function hostNotices(loaded: LoadedConfig, now: UnixSeconds): readonly Notice[] {
  return [
    ...absentInterfaces(loaded),
    ...bootGateNotices(loaded),
    ...missingGetent(loaded),
    ...missingPrograms(loaded),
    ...groupsOfUsers(loaded),
    ...expiredStanzas(loaded, now),
  ]
}
