/** Whether a server would start with its files, and what they should be changed for. */
import { defineCheck, type Finding, ifKnown, judged, notChecked } from '../check.ts'
import { failureFinding } from '../failure-finding.ts'
import { cureOf } from './host-rules.ts'
import { isAboutKeys } from './keys.ts'
import { isAboutPermissions } from './permissions.ts'

export const config = defineCheck({
  code: 'CONFIG',
  side: 'server',
  question: 'Is the server’s configuration good, and would a server start with it?',
  needs: ['configuration'],
  judge: ({ configuration }) =>
    ifKnown(configuration, ({ faults, loaded, refusals, notices }) => {
      const others = [...faults, ...refusals].filter((each) => !isAboutKeys(each) && !isAboutPermissions(each))
      // What the firewall's notices say has checks of its own.
      const warnings = notices.filter(({ level, code }) => level === 'warning' && code === undefined)
      if (loaded === undefined && others.length === 0)
        return notChecked('the keys or the permissions of the files are at fault')
      const count = loaded?.policy.stanzas.length ?? 0
      return judged(
        [
          ...others.map((failure): Finding => failureFinding(failure)),
          ...warnings.map(
            ({ text, cure, at }): Finding => ({
              severity: 'warning',
              text,
              evidence: at === undefined ? [] : [`${at.file}:${at.line}`],
              ...(cure !== undefined && { cure: cureOf(cure) }),
            }),
          ),
        ],
        `${count} ${count === 1 ? 'stanza' : 'stanzas'}`,
      )
    }),
})
