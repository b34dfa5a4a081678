/** Whether each stanza of the rc file has the keys for a knock. */
import { type Answer, defineCheck, type Finding, ifKnown, judged, notChecked } from '../check.ts'
import { failureFinding } from '../failure-finding.ts'
import type { ClientStanza, ClientStanzas } from '../looks/client-stanzas.ts'

export const clientKeys = defineCheck({
  code: 'CLIENT_KEYS',
  side: 'client',
  question: 'Does each stanza have the keys for a knock?',
  needs: ['clientStanzas'],
  judge: ({ clientStanzas }) => ifKnown(clientStanzas, judgeKeys),
})

function judgeKeys({ file, fault, stanzas }: ClientStanzas): Answer {
  if (fault !== undefined) return notChecked(`${file} cannot be read`)
  const withKeys = stanzas.filter(({ keys }) => keys !== undefined)
  if (withKeys.length === 0) return notChecked('no stanza names a server (SPA_SERVER)')
  return judged(
    withKeys.flatMap((stanza) => judgeStanza(stanza, file)),
    `${withKeys.length} of ${stanzas.length} stanzas have keys, with an HMAC`,
  )
}

function judgeStanza({ name, keys, settings }: ClientStanza, file: string): readonly Finding[] {
  const seen = [`stanza [${name}] of ${file}`]
  if (keys?.kind === 'bad') return [{ ...failureFinding(keys.failure), evidence: seen }]
  if (keys?.kind === 'asked')
    return [
      {
        severity: 'hint',
        text: `a key is not in the rc file, so each knock with [${name}] asks for it`,
        evidence: [...seen, `asked for: ${keys.what}`],
        cure: { advice: `write the key into the stanza: KEY_BASE64 and HMAC_KEY_BASE64 of the server’s stanza` },
      },
    ]
  if (keys?.hmac === false && settings?.encryptionMode !== 'legacy')
    return [
      {
        severity: 'warning',
        text: `the packets of [${name}] have no HMAC, and a server refuses them unless it accepts such packets`,
        evidence: seen,
        cure: { advice: `write HMAC_KEY_BASE64 of the server’s stanza into [${name}] of ${file}` },
      },
    ]
  return []
}
