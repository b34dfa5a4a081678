/** Whether the keys of all stanzas of the server can be used. */
import type { Failure } from '../../../result.ts'
import { defineCheck, ifKnown, judged, notChecked } from '../check.ts'
import { failureFinding } from '../failure-finding.ts'

export const keys = defineCheck({
  code: 'KEYS',
  side: 'server',
  question: 'Can the keys of all stanzas be used?',
  needs: ['configuration'],
  judge: ({ configuration }) =>
    ifKnown(configuration, ({ faults, refusals, loaded }) => {
      const found = [...faults, ...refusals].filter(isAboutKeys).map(failureFinding)
      if (found.length === 0 && loaded === undefined) return notChecked('the configuration has other mistakes')
      return judged(found, 'each stanza has keys that can be used')
    }),
})

const ABOUT_KEYS = /\b(KEY|HMAC_KEY|GPG_DECRYPT_PW|KEY_BASE64|HMAC_KEY_BASE64)\b/

export function isAboutKeys({ code, detail }: Failure): boolean {
  if (code === 'KEY_INVALID' || code === 'KEY_MISSING' || code === 'GNUPG_FAILED') return true
  return code === 'CONFIG_MISSING_KEY' && ABOUT_KEYS.test(detail)
}
