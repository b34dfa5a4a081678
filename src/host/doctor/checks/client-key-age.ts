/** Whether the keys of the rc file may have ended. The server answers nobody, so their age is all that can be known. */
import type { UnixSeconds } from '../../../units.ts'
import { type Answer, defineCheck, type Finding, ifKnown, judged, notChecked } from '../check.ts'
import type { ClientStanza, ClientStanzas } from '../looks/client-stanzas.ts'

export const clientKeyAge = defineCheck({
  code: 'CLIENT_KEY_AGE',
  side: 'client',
  question: 'Can the keys of each stanza still be those of the server?',
  needs: ['clientStanzas', 'today'],
  judge: ({ clientStanzas, today }) => ifKnown(clientStanzas, (found) => judgeKeyAge(found, today)),
})

/** In days. */
const OLD = 365
const SOON = 7
const DAY = 86_400

export function judgeKeyAge({ file, fault, stanzas }: ClientStanzas, now: UnixSeconds): Answer {
  if (fault !== undefined) return notChecked(`${file} cannot be read`)
  const dated = stanzas.filter(({ keyTimes }) => keyTimes !== undefined)
  if (dated.length === 0)
    return notChecked('no stanza says when its keys were made: only “ghostport client add” writes that')
  const ages = dated.map(({ name, keyTimes }) => `[${name}] of ${keyTimes?.made.slice(0, 10)}`).join(', ')
  return judged(
    dated.flatMap((stanza) => judge(stanza, file, now)),
    `keys: ${ages}. If the server gave out new ones since, it takes the old ones for a while only: “ghostport knock NAME --wait” tells`,
  )
}

function judge({ name, keyTimes }: ClientStanza, file: string, now: UnixSeconds): readonly Finding[] {
  if (keyTimes === undefined) return []
  const { made, until } = keyTimes
  const days = Math.floor((now - Date.parse(made) / 1000) / DAY)
  const left = until === undefined ? undefined : (Date.parse(until) / 1000 - now) / DAY
  const seen = [
    `stanza [${name}] of ${file}: keys of ${made}`,
    ...(until === undefined ? [] : [`by the profile, they end at ${until}`]),
  ]
  const advice = 'ask the administrator of the server for a new profile, and run “ghostport client add --replace”'
  if (left !== undefined && left <= 0)
    return [{ severity: 'error', text: `the keys of [${name}] have ended`, evidence: seen, cure: { advice } }]
  if (left !== undefined && left <= SOON)
    return [{ severity: 'warning', text: `the keys of [${name}] end within a week`, evidence: seen, cure: { advice } }]
  if (days < OLD) return []
  return [
    {
      severity: 'hint',
      text: `the keys of [${name}] are ${days} days old: if the server gave out new ones since, these open nothing`,
      evidence: seen,
      cure: { advice: `try “ghostport knock ${name} --wait”. If it fails, ${advice}` },
    },
  ]
}
