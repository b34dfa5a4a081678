/** Whether only root can change the server's files, and only root can read its keys. */
import type { Failure } from '../../../result.ts'
import { defineCheck, ifKnown, judged } from '../check.ts'
import { failureFinding } from '../failure-finding.ts'

export const permissions = defineCheck({
  code: 'PERMISSIONS',
  side: 'server',
  question: 'Are the server’s files safe from other users?',
  needs: ['configuration'],
  judge: ({ configuration }) =>
    ifKnown(configuration, ({ faults, refusals }) =>
      judged(
        [...faults, ...refusals].filter(isAboutPermissions).map(failureFinding),
        'only root can change the files, and read the keys',
      ),
    ),
})

export function isAboutPermissions({ code }: Failure): boolean {
  return code === 'CONFIG_EXPOSED'
}
